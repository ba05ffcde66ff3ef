"""The commands: what is refused and how, what is found where, what stays light, what is left alone."""

import shutil
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import House, tree

from kit.files import write_json
from kit.recipe import find_data

REFUSED = [
    (["cv", "smal"], "kit: no competition is called 'smal'; did you mean 'small'?"),
    (["cv", "small", "--only", "bost"], "kit: 'small' has no member 'bost'; did you mean 'boost'?"),
    (["show", "small", "--only", "bost"], "kit: 'small' has no member 'bost'; did you mean 'boost'?"),
    (["cv", "small", "--preset", "tyny"], "kit: 'small' has no preset 'tyny'; did you mean 'tiny'?"),
    (["cv", "small", "--set", "boost.tres=3"], "kit: unknown setting 'boost.tres'; did you mean 'boost.trees'?"),
    (["blend", "small", "--set", "lr"], "kit: setting 'lr' is not of the form name=value"),
    (["cv", "small", "--set", "seed=3"], "kit: setting 'seed' is ambiguous: folds.seed, boost.seed, memory.seed"),
    (["cv", "small", "--set", "boost.trees=0"], "kit: Boost.trees = 0: input should be greater than or equal to 1"),
    (["cv", "small", "--seed", "-1"], "kit: Boost.seed = -1: input should be greater than or equal to 0"),
    (["cv", "small", "--folds", "0,7"], "kit: fold 7 does not exist; there are: 0, 1, 2, 3"),
    (["cv", "small", "--folds", "a"], "kit: folds=a: not a list of fold numbers such as 0,1"),
    (["cv", "small", "--on", "procesess:2"], "kit: on=procesess:2: no such executor; did you mean 'processes:2'?"),
    (["cv", "small", "--on", "inline:2"], "kit: on=inline:2: no such executor; did you mean 'inline'?"),
    (["cv", "small", "--on", "processes:0"], "kit: on=processes:0: no such executor; did you mean 'processes:2'?"),
]


@pytest.mark.parametrize("words, sentence", REFUSED, ids=[" ".join(w) for w, _ in REFUSED])
def test_refusals_are_one_line_and_write_nothing(
    house: House, words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(house.folder)
    code = in_process(house, words, monkeypatch)
    captured = capsys.readouterr()
    assert (code, captured.err) == (2, sentence + "\n")
    assert tree(house.folder) == before


def test_a_wrong_number_of_threads_in_the_environment(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KIT_THREADS", "two")
    assert in_process(house, ["cv", "small"], monkeypatch) == 2
    assert capsys.readouterr().err == "kit: KIT_THREADS = 'two' is not a number of threads\n"


def in_process(house: House, words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """`python -m kit …` without the second that a new process takes."""
    import sys

    from kit.cli import main

    for name in [m for m in sys.modules if m.startswith("competitions")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(house.folder), *sys.path])
    monkeypatch.chdir(house.folder)
    monkeypatch.setenv("KIT_KAGGLE_INPUT", "nowhere")
    for name in ("KIT_DATA", "KIT_RUNS", "KIT_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["kit", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_nothing_is_written_for_a_slip_where_the_sample_would_be_taken(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(house.folder)
    for more in (["--set", "minilm.lrr=1"], ["--only", "x"], ["--preset", "x"], ["--on", "x"]):
        assert in_process(house, ["cv", "toxic", *more], monkeypatch) == 2
    assert tree(house.folder) == before
    assert capsys.readouterr().out == ""


def test_a_bad_file_is_one_line_on_stderr_and_debug_shows_where(house: House) -> None:
    path = house.folder / "data/small/train.csv"
    path.write_text(path.read_text().replace(",", ";"))
    before = tree(house.folder)
    done = house.kit("cv", "small")
    assert done.returncode == 2 and done.stdout == ""
    assert (
        done.stderr
        == "kit: train.csv: separated by semicolons, not commas; its columns seem to be: id, x, z, words, y\n"
    )
    assert tree(house.folder) == before
    told = house.kit("cv", "small", "--debug")
    assert told.returncode == 2 and "Traceback" in told.stderr and "in read_csv" in told.stderr


def test_a_sample_submission_that_does_not_fit_is_refused_before_the_work(house: House) -> None:
    path = house.folder / "data/small/sample_submission.csv"
    path.write_text(path.read_text().replace("id,y", "id,y,z"))
    done = house.kit("cv", "small")
    assert done.returncode == 2 and "sample_submission.csv: column 'z'" in done.stderr
    assert not (house.folder / "runs").exists() and house.fits() == []


def test_a_blend_that_reads_a_column_that_is_not_there_is_refused_before_the_work(house: House) -> None:
    done = house.kit("cv", "small", "--set", "blend=Stack(columns=('nope',))")
    assert done.returncode == 2 and "Stack: there is no column 'nope'" in done.stderr
    assert not (house.folder / "runs").exists() and house.fits() == []


def test_show_and_options_write_nothing(house: House) -> None:
    before = tree(house.folder)
    shown = house.kit("show", "small")
    assert shown.returncode == 0 and "memory" in shown.stdout
    assert tree(house.folder) == before
    assert house.kit("cv", "small", "--folds", "0,1", "--only", "memory", MOOD="fail").returncode in (0, 1)
    (fold, *_) = house.runs.glob("memory-*/fold?")
    (fold / "valid.npy").write_bytes(b"")
    before = tree(house.folder)
    shown = house.kit("show", "small")
    assert shown.returncode == 0 and "damaged" in shown.stdout
    assert tree(house.folder) == before


def test_options_list_every_knob(house: House) -> None:
    from competitions.toxic.recipe import Toxic

    done = house.kit("options", "toxic", "--set", "minilm.lr=3e-4")
    assert done.returncode == 0
    lines = done.stdout.replace("│", " ").splitlines()
    for option in Toxic().options():
        assert any(line.split()[:1] == [option.name] for line in lines), option.name
    (line,) = [line for line in lines if line.split()[:1] == ["minilm.stage.lr"]]
    assert "float" in line and "0.0003" in line and "> 0" in line and "peak learning rate" in line
    (line,) = [line for line in lines if line.split()[:1] == ["minilm.stage.optimizer.betas"]]
    assert "tuple[float, float]" in line  # brackets are no markup
    assert "preset=quick: " in done.stdout


def test_options_know_what_a_search_has_written(house: House) -> None:
    done = house.kit("options", "small", "--preset", "tuned")
    assert done.returncode == 2 and "make tune comp=small" in done.stderr
    write_json(house.runs / "tuned.json", {"boost": {"settings": ["boost.num_leaves=9"]}})
    lines = house.kit("options", "small", "--preset", "tuned").stdout.replace("│", " ").splitlines()
    (line,) = [line for line in lines if line.split()[:1] == ["boost.num_leaves"]]
    assert line.split()[2] == "9" and "preset=tuned: boost.num_leaves=9" in lines


def test_competitions(house: House) -> None:
    assert house.kit("competitions").stdout.split() == ["chinese360", "small", "toxic"]  # one's own and the package's


def test_the_embedded_sample_is_announced_in_one_line(house: House) -> None:
    shutil.rmtree(house.folder / "data")
    done = house.kit("show", "toxic")
    said = (
        "toxic: no competition files found in data/toxic/ or below nowhere; using the embedded sample with preset quick"
    )
    assert done.returncode == 0 and done.stdout.splitlines()[0] == said
    assert not (house.folder / "runs").exists()
    own = house.kit("show", "small")
    assert own.returncode == 2
    assert own.stderr == "kit: 'small' has no embedded sample; put its files into data/cache/small-sample\n"


@pytest.mark.parametrize("zipped", [False, True])
def test_data_is_found_wherever_kaggle_mounts_it(
    house: House, zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from competitions.toxic.recipe import Toxic

    monkeypatch.setenv("KIT_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("KIT_KAGGLE_INPUT", str(tmp_path / "input"))
    task = Toxic.task
    assert find_data(task) is None
    for name in ("a-other", "b-broken"):  # another competition's files of the same name
        (tmp_path / "input" / name).mkdir(parents=True)
    (tmp_path / "input/a-other/train.csv").write_text("id,x\n1,2\n")
    (tmp_path / "input/b-broken/train.csv.zip").write_bytes(b"PK no zip")
    assert find_data(task) is None
    header = ",".join([task.id, *task.inputs, *task.targets]) + "\n"
    deep = tmp_path / "input/c-deep/er"
    deep.mkdir(parents=True)
    if zipped:
        with zipfile.ZipFile(deep / "train.csv.zip", "w") as file:
            file.writestr("train.csv", header)
    else:
        (deep / "train.csv").write_text(header)
    assert find_data(task) == deep
    named = tmp_path / "input/d" / task.slug
    named.mkdir(parents=True)
    (named / "train.csv").write_text(header)
    assert find_data(task) == named  # of two that fit, the one that is called so
    (tmp_path / "none/toxic").mkdir(parents=True)
    (tmp_path / "none/toxic/train.csv").write_text("whatever")
    assert find_data(task) == tmp_path / "none/toxic"  # one's own folder is taken at its word


def test_data_without_a_header_is_found_by_name_and_number_of_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from competitions.chinese360.recipe import Chinese360

    monkeypatch.setenv("KIT_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("KIT_KAGGLE_INPUT", str(tmp_path / "input"))
    asked = (Chinese360.task, Chinese360.files[0], Chinese360.form)
    for name, line in (("a", '1\t“one" field too few\tPOSITIVE\n'), ("b", "id,title,content,label\n"), ("c", "")):
        (tmp_path / "input" / name).mkdir(parents=True)
        (tmp_path / "input" / name / "train.tsv").write_text(line)
    assert find_data(*asked) is None
    (tmp_path / "input/d").mkdir()
    with zipfile.ZipFile(tmp_path / "input/d/train.tsv.zip", "w") as file:
        file.writestr("train.tsv", '1\t"a\tb\tPOSITIVE\n2\tc\td\tNEGATIVE\n')
    assert find_data(*asked) == tmp_path / "input/d"
    (tmp_path / "none/chinese360").mkdir(parents=True)
    (tmp_path / "none/chinese360/train.tsv").write_text("whatever")
    assert find_data(*asked) == tmp_path / "none/chinese360"


def test_a_run_on_kaggles_folder(house: House) -> None:
    (house.folder / "data/small").rename(house.folder / "mounted")
    done = house.kit(
        "cv", "small", "--preset", "tiny", "--only", "boost", KIT_KAGGLE_INPUT=str(house.folder / "mounted")
    )
    assert done.returncode == 0 and (house.runs / "submission.csv").exists()


# ---- light and quick ---------------------------------------------------------------------------

HEAVY = ["torch", "transformers", "sklearn", "lightgbm", "scipy.stats", "pandas", "matplotlib"]


@pytest.mark.parametrize(
    "script, light",
    [
        ("import sys; sys.argv = ['kit', '--help']\ntry:\n    import kit.__main__\nexcept SystemExit: pass", HEAVY),
        (
            "import sys; sys.argv = ['kit', 'competitions']\ntry:\n    import kit.__main__\nexcept SystemExit: pass",
            HEAVY,
        ),
        ("import kit.cv", HEAVY[:4]),
        ("import competitions.toxic.recipe; competitions.toxic.recipe.Toxic().options()", HEAVY[:4]),
    ],
    ids=["help", "competitions", "kit.cv", "recipe"],
)
def test_what_does_not_need_it_does_not_import_it(python: Any, script: str, light: list[str]) -> None:
    out = python(script + f"\nimport sys; print([m for m in {light} if m in sys.modules])")
    assert out.splitlines()[-1] == "[]"


def test_help_is_quick(house: House) -> None:
    times = []
    for _ in range(3):
        started = time.perf_counter()
        done = house.kit("--help")
        times.append(time.perf_counter() - started)
        assert done.returncode == 0 and "cv" in done.stdout and "options" in done.stdout
    assert min(times) < 1.0  # half of it on a quiet machine

"""The commands: what is refused and how, what is found where, what stays light, what is left alone."""

import shutil
import tomllib
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import kit
from kit.cli import main
from kit.cli.opening import run_folder
from kit.core.files import read_json
from kit.reading.discovery import find_data
from tests.helpers.house import ROOT, House, in_process, tree

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
    (["cv", "small", "fold=0"], "kit: cv has no 'fold='; did you mean 'folds='?"),
    (
        ["cv", "small", "seed=x"],
        "kit: Invalid value for 'seed=': Input should be a valid integer, unable to parse string as an integer",
    ),
    (
        ["cv"],
        "kit: cv needs a competition: comp=NAME, where NAME is one of: chinese360, dogscats, homecredit, small, toxic",
    ),
    (["tune", "comp=small"], "kit: tune needs a member of 'small': member=NAME, where NAME is one of: boost, memory"),
    (["compare", "comp=small", "a=boost"], "kit: Missing option 'b='"),
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
    path.write_text(path.read_text() + "9,1\n")
    lines = len(path.read_text().splitlines())
    before = tree(house.folder)
    done = house.kit("cv", "small")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"kit: train.csv: line {lines} has 2 fields, not the 5 of the header: '9,1'\n"
    assert tree(house.folder) == before
    done = house.kit("cv", "small", "--debug")
    assert done.returncode == 2 and "Traceback" in done.stderr and "in read_file" in done.stderr


def test_a_sample_submission_that_does_not_fit_is_refused_before_the_work(house: House) -> None:
    path = house.folder / "data/small/sample_submission.csv"
    path.write_text(path.read_text().replace("id,y", "id,y,z").replace("0.5\n", "0.5,0\n"))
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


def test_competitions(house: House) -> None:
    assert house.kit("competitions").stdout.split() == [
        "chinese360",
        "dogscats",
        "homecredit",
        "small",
        "toxic",
    ]  # one's own and the package's


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
    assert own.stderr == (
        "kit: no files of 'small': put train.csv, test.csv, sample_submission.csv into data/small/; nothing that fits lies "
        "below nowhere either\n"
    )


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
    of = (Chinese360.task, Chinese360.files[0], Chinese360.form)
    for name, line in (("a", '1\t“one" field too few\tPOSITIVE\n'), ("b", "id,title,content,label\n"), ("c", "")):
        (tmp_path / "input" / name).mkdir(parents=True)
        (tmp_path / "input" / name / "train.tsv").write_text(line)
    assert find_data(*of) is None
    (tmp_path / "input/d").mkdir()
    with zipfile.ZipFile(tmp_path / "input/d/train.tsv.zip", "w") as file:
        file.writestr("train.tsv", '1\t"a\tb\tPOSITIVE\n2\tc\td\tNEGATIVE\n')
    assert find_data(*of) == tmp_path / "input/d"
    (tmp_path / "none/chinese360").mkdir(parents=True)
    (tmp_path / "none/chinese360/train.tsv").write_text("whatever")
    assert find_data(*of) == tmp_path / "none/chinese360"


def test_only_means_the_same_in_cv_and_in_blend(house: House) -> None:
    """The blend holds the members of only=, unless bank=1 says otherwise."""

    def weights() -> list[str]:
        return [name for name, _ in read_json(house.runs / "blend" / "report.json")["weights"]]

    assert house.kit("cv", "comp=small", "preset=tiny").returncode == 0 and weights() == ["boost", "memory"]
    alone = house.kit("cv", "comp=small", "preset=tiny", "only=boost")
    assert weights() == ["boost"] and "│ memory" not in alone.stdout
    assert "not blended: memory; bank=1 takes every finished member" in alone.stdout
    both = house.kit("cv", "comp=small", "preset=tiny", "only=boost", "bank=1")
    assert weights() == ["boost", "memory"] and "not blended" not in both.stdout
    house.kit("blend", "comp=small", "preset=tiny", "only=boost")
    assert weights() == ["boost"]


def test_rows_of_a_sample_have_a_run_folder_of_their_own(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [
        (Path("data"), None, "small"),
        (Path("data"), 50, "small-50-rows"),
        (None, None, "small-sample"),  # the embedded sample, where there are no files
        (None, 50, "small-sample-50-rows"),
    ]
    monkeypatch.setenv("KIT_RUNS", "r")
    assert [run_folder("small", data, sample) for data, sample, _ in folders] == [Path("r", n) for *_, n in folders]
    assert house.kit("cv", "small", "sample=50", "only=memory").returncode == 0
    assert (house.folder / "runs/small-50-rows/blend").exists() and not house.runs.exists()


def test_help_lists_the_commands_in_the_order_of_their_use(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert in_process(house, ["--help"], monkeypatch) == 0
    listed = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed][:4] == ["cv", "blend", "show", "tune"] and len(listed) == 14
    assert not any(line.endswith("...") for line in listed)  # every sentence fits


def test_version_and_console_command(house: House) -> None:
    assert house.kit("--version").stdout == f"kit {kit.__version__}\n"
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["kit"]
    assert EntryPoint("kit", script, "console_scripts").load() is main


def test_a_run_on_kaggles_folder(house: House) -> None:
    (house.folder / "data/small").rename(house.folder / "mounted")
    done = house.kit(
        "cv", "small", "--preset", "tiny", "--only", "boost", KIT_KAGGLE_INPUT=str(house.folder / "mounted")
    )
    assert done.returncode == 0 and (house.runs / "submission.csv").exists()


# ---- light ---------------------------------------------------------------------------

HEAVY = ["torch", "transformers", "sklearn", "lightgbm", "scipy.stats", "pandas", "matplotlib"]


@pytest.mark.parametrize(
    "script, light",
    [
        ("import sys; sys.argv = ['kit', '--help']\ntry:\n    import kit.__main__\nexcept SystemExit: pass", HEAVY),
        (
            "import sys; sys.argv = ['kit', 'competitions']\ntry:\n    import kit.__main__\nexcept SystemExit: pass",
            HEAVY,
        ),
        ("import kit.run.jobs", HEAVY[:4]),
        ("import competitions.toxic.recipe; competitions.toxic.recipe.Toxic().options()", HEAVY[:4]),
    ],
    ids=["help", "competitions", "kit.run.jobs", "recipe"],
)
def test_what_does_not_need_it_does_not_import_it(python: Any, script: str, light: list[str]) -> None:
    out = python(script + f"\nimport sys; print([m for m in {light} if m in sys.modules])")
    assert out.splitlines()[-1] == "[]"

"""MLflow and TensorBoard: what their stores hold is what the bank holds, once."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.core.errors import KitError
from kit.report.page import write_report
from kit.report.track import tracker
from kit.report.track.tracked import TrackedRun, tracked_runs
from kit.run.run import Run
from tests.helpers.reporting import fitted, made

NAMES = ["good", "bad"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = fitted(made("binary", tmp_path / "run"))
    (run.root / "report.html").write_text("a page")
    return run


def test_what_is_shown_of_a_run(run: Run) -> None:
    things = {thing.name: thing for thing in tracked_runs(run, NAMES)}
    assert list(things) == ["good", "bad", "blend"]
    good, blend = things["good"], things["blend"]
    assert good.key == run.store("good").folder.name
    assert good.settings["noise"] == 0.3 and good.settings["class"] == "Guess"
    assert good.scores["roc_auc"] == {f: kept.score["score"] for f, kept in run.gathered("good").items()}
    assert good.scores["fold 1/loss"] == {1: 1.0, 2: 0.5, 3: 1 / 3, 4: 0.25, 5: 0.2, 6: 1 / 6}
    assert set(good.scores) == {
        "roc_auc", "seconds fit", "seconds predict", *(f"fold {f}/{w}" for f in (0, 1, 2) for w in ("loss", "lr", "epoch"))
    }  # fmt: skip
    assert sum(blend.settings[f"weight of {name}"] for name in NAMES) == pytest.approx(1)
    assert {"roc_auc nested", "roc_auc", "gain"} <= set(blend.scores)
    assert [path.name for path in blend.files] == ["report.html", "weights.json", "report.json"]


def test_nothing_to_show_yet(tmp_path: Path) -> None:
    assert list(tracked_runs(made("binary", tmp_path / "run"), NAMES)) == []


def scalars(folder: Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Run → tag → (step, value), as TensorBoard itself reads its event files."""
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    found = EventMultiplexer().AddRunsFromDirectory(str(folder))
    found.Reload()
    return {
        name: {tag: [(e.step, e.value) for e in found.Scalars(name, tag)] for tag in tags["scalars"]}
        for name, tags in found.Runs().items()
    }


def test_tensorboard_reads_back_what_the_bank_holds_once(run: Run) -> None:
    pytest.importorskip("tensorboard")
    show = tracker("tensorboard")
    assert show(run, NAMES).startswith("tensorboard: 3 written, the rest was there; see it with: tensorboard --logdir ")
    seen = scalars(run.root / "tensorboard")
    key = run.store("good").folder.name
    scores = [(f, pytest.approx(kept.score["score"])) for f, kept in sorted(run.gathered("good").items())]
    assert seen[key]["roc_auc"] == scores
    assert seen[f"{key}/fold 2"]["loss"] == [(s, pytest.approx(1 / s)) for s in range(1, 7)]
    assert len(seen) == 2 + 1 + 3
    files = sorted(run.root.glob("tensorboard/**/*"))
    assert show(run, NAMES).startswith("tensorboard: 0 written")
    assert sorted(run.root.glob("tensorboard/**/*")) == files and scalars(run.root / "tensorboard") == seen


def test_tensorboard_shows_what_has_come_since_without_doubling_the_rest(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run = fitted(made("binary", tmp_path / "run"), ("good",), [0])
    tracker("tensorboard")(run, NAMES)
    fitted(run, ("good",))
    assert tracker("tensorboard")(run, NAMES).startswith("tensorboard: 2 written")  # good, and now a blend
    points = scalars(run.root / "tensorboard")[run.store("good").folder.name]["roc_auc"]
    assert [step for step, _ in points] == [0, 1, 2]


def test_tensorboard_has_the_settings(run: Run) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    tracker("tensorboard")(run, NAMES)
    found = EventAccumulator(str(run.root / "tensorboard" / run.store("good").folder.name))
    found.Reload()
    (data,) = (found.summary_metadata["_hparams_/session_start_info"].plugin_data.content,)
    parameters = HParamsPluginData.FromString(data).session_start_info.hparams
    assert parameters["noise"].number_value == 0.3 and parameters["log"].bool_value is True


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("mlflow")
    pytest.importorskip("alembic", reason="MLflow's SQLite store needs alembic, which comes with optuna")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tracker("mlflow")


def test_mlflow_reads_back_what_the_bank_holds_once(run: Run, mlflow: Any) -> None:
    from mlflow import MlflowClient

    said = mlflow(run, NAMES)
    assert said.startswith("mlflow: 3 logged") and "mlflow ui --backend-store-uri sqlite:///" in said
    client = MlflowClient(tracking_uri=f"sqlite:///{run.root / 'mlflow/mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name == "run"]

    def entries() -> dict[str, Any]:
        return {entry.info.run_name: entry for entry in client.search_runs([experiment.experiment_id])}

    first = entries()
    assert set(first) == {"good", "bad", "blend"}
    good = first["good"]
    assert good.data.params["noise"] == "0.3" and good.data.tags["kit.key"] == run.store("good").folder.name
    assert good.info.status == "FINISHED"

    def points(name: str) -> list[tuple[int, float]]:
        return sorted((p.step, p.value) for p in client.get_metric_history(good.info.run_id, name))

    assert points("roc_auc") == [(f, k.score["score"]) for f, k in sorted(run.gathered("good").items())]
    assert points("fold 0/loss") == [(s, 1 / s) for s in range(1, 7)]
    kept = {item.path for item in client.list_artifacts(first["blend"].info.run_id)}
    assert kept == {"report.html", "weights.json", "report.json"}

    assert mlflow(run, NAMES).startswith("mlflow: 0 logged")
    assert {name: e.info.run_id for name, e in entries().items()} == {n: e.info.run_id for n, e in first.items()}
    # a run that was cut off before it was whole gets what it lacks, and nothing twice
    client.set_tag(good.info.run_id, "kit.content", "")
    assert mlflow(run, NAMES).startswith("mlflow: 1 logged") and len(entries()) == 3
    assert points("fold 0/loss") == [(s, 1 / s) for s in range(1, 7)]


def test_mlflow_shows_what_has_changed_since(run: Run, mlflow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    (run.root / "report.html").unlink()
    mlflow(run, NAMES)
    client = MlflowClient(tracking_uri=f"sqlite:///{run.root / 'mlflow/mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name == "run"]

    def entries() -> dict[str, str]:
        return {entry.info.run_name: entry.info.run_id for entry in client.search_runs([experiment.experiment_id])}

    first = entries()
    for page in ("a page", "another"):  # a page that is made later, or anew
        (run.root / "report.html").write_text(page)
        assert mlflow(run, NAMES).startswith("mlflow: 1 logged") and entries() == first
        assert Path(client.download_artifacts(first["blend"], "report.html")).read_text() == page

    def judged_anew(run: Run, names: list[str]) -> Iterator[TrackedRun]:
        for thing in tracked_runs(run, names):
            yield replace(thing, scores=thing.scores | {"roc_auc": {0: 0.1, 1: 0.2}}) if thing.name == "good" else thing

    monkeypatch.setattr("kit.report.track.to_mlflow.tracked_runs", judged_anew)
    assert mlflow(run, NAMES).startswith("mlflow: 1 logged")
    now = entries()
    assert now.keys() == first.keys() and now["good"] != first["good"] and now["bad"] == first["bad"]
    points = client.get_metric_history(now["good"], "roc_auc")
    assert sorted((point.step, point.value) for point in points) == [(0, 0.1), (1, 0.2)]


@pytest.mark.parametrize("uri", ["http://me:Gz7qLw9x@127.0.0.1:1", "odd://me:Gz7qLw9x@h"])
def test_mlflow_shows_no_password(run: Run, mlflow: Any, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(KitError) as error:
        mlflow(run, NAMES)
    said = str(error.value)
    assert said.startswith(f"to=mlflow: {uri.replace('Gz7qLw9x', '***')} cannot be used: ") and "Gz7qLw9x" not in said


@pytest.mark.parametrize("tool, package", [("mlflow", "mlflow"), ("tensorboard", "tensorboard")])
def test_an_absent_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, tool: str, package: str) -> None:
    for name in [
        name for name in sys.modules if name == package or name.startswith((f"{package}.", "kit.report.track.to_"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(KitError, match=rf"^to={tool} needs the package {package}: pip install 'kit\[{tool}\]'$"):
        tracker(tool)


def test_an_unknown_tool_is_refused() -> None:
    with pytest.raises(KitError, match="^to=mlflw: a run can be shown in mlflow or tensorboard; did you mean 'mlflow'"):
        tracker("mlflw")


def test_the_report_is_among_the_files_only_when_it_is_there(tmp_path: Path) -> None:
    run = fitted(made("binary", tmp_path / "run"))
    assert [path.name for path in list(tracked_runs(run, NAMES))[-1].files] == ["weights.json", "report.json"]
    write_report(run, NAMES)
    assert list(tracked_runs(run, NAMES))[-1].files[0].name == "report.html"

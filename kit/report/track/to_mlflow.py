"""MLflow: runs of an experiment named like the run folder, in an SQLite store in that folder or wherever
$MLFLOW_TRACKING_URI says."""

import logging
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it is read at import, and would ask the network

import mlflow
from alembic.util import CommandError
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from kit.core.errors import KitError
from kit.core.files import checksum
from kit.core.redact import keep_secret, redacted
from kit.core.spec import digest
from kit.report.track.tracked import TrackedRun, tracked_runs
from kit.run.run import Run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as Logged

LETTERS = 500  # of a setting's value: the least that any store takes
BATCH = 100  # params, or metrics, a call


def show(run: Run, names: list[str]) -> str:
    """Logs what is not shown yet. A run is recognised by its tag kit.key, and only missing values are added; if its
    values differ from those of the bank, it is logged again.

    Returns:
        What was logged, and how to see it.

    Raises:
        KitError: the store cannot be used.
    """
    for name in ("mlflow", "alembic"):  # they log every table they make
        logging.getLogger(name).setLevel(logging.WARNING)
    folder = run.root.absolute() / "mlflow"
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder / 'mlflow.db'}"
    keep_secret(uri)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        logged = _logged(run, names, uri, folder)
    except (MlflowException, SQLAlchemyError, CommandError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise KitError(f"to=mlflow: {uri} cannot be used: {reason}") from None
    return (
        f"mlflow: {logged} logged, the rest was there; see it with: mlflow ui --backend-store-uri {redacted(uri)} "
        "(the pages are in the package mlflow, not in mlflow-skinny)"
    )


def _logged(run: Run, names: list[str], uri: str, folder: Path) -> int:
    client = mlflow.MlflowClient(tracking_uri=uri)
    known = client.get_experiment_by_name(run.root.name)
    own = None if os.environ.get("MLFLOW_TRACKING_URI") else (folder / "artifacts").as_uri()
    experiment = known.experiment_id if known else client.create_experiment(run.root.name, artifact_location=own)
    return sum([_log(client, experiment, thing) for thing in tracked_runs(run, names)])


def _log(client: "MlflowClient", experiment: str, thing: TrackedRun) -> bool:
    found = client.search_runs([experiment], f"tags.`kit.key` = '{thing.key}'", max_results=1)
    files = [(path.name, checksum(path)) for path in thing.files]
    content = digest([{k: sorted(v.items()) for k, v in thing.scores.items()}, files])
    if found and found[0].data.tags.get("kit.content") == content:
        return False
    stored = _stored(client, found[0], thing) if found else {}
    if any(thing.scores[name].get(step, value) != value for name, points in stored.items() for step, value in points):
        # no store can delete a point: if a fold was fitted again or has another score, there is a new run
        client.delete_run(found.pop().info.run_id)
        stored = {}
    entry = found[0] if found else client.create_run(experiment, run_name=thing.name, tags={"kit.key": thing.key})
    number, now = entry.info.run_id, int(time.time() * 1000)
    params = [Param(_name(k), str(v)[:LETTERS]) for k, v in thing.settings.items() if _name(k) not in entry.data.params]
    metrics = []
    for name, values in thing.scores.items():
        there = {step for step, _ in stored.get(name, ())}
        metrics += [Metric(_name(name), v, now, step) for step, v in sorted(values.items()) if step not in there]
    for start in range(0, max(len(params), len(metrics)), BATCH):
        client.log_batch(number, metrics[start : start + BATCH], params[start : start + BATCH])
    for path in thing.files:
        client.log_artifact(number, str(path))
    client.log_batch(number, tags=[RunTag("kit.content", content)])  # last: so an incomplete run is continued
    client.set_terminated(number)
    return True


def _stored(client: "MlflowClient", entry: "Logged", thing: TrackedRun) -> dict[str, list[tuple[int, float]]]:
    """Score → (step, value) of all its points in a run."""
    known = [name for name in thing.scores if _name(name) in entry.data.metrics]
    histories = {name: client.get_metric_history(entry.info.run_id, _name(name)) for name in known}
    return {name: [(point.step, point.value) for point in points] for name, points in histories.items()}


def _name(name: str) -> str:
    """The name without characters that some store refuses."""
    return re.sub(r"[^\w./ -]", "_", name)[:240]

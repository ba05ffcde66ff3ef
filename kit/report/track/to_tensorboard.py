"""TensorBoard: event files in the run folder, a folder for each member, blend, and fold that logs."""

import json
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from kit.core.files import read_json, remove, write_json
from kit.core.folders import rename_whole
from kit.core.spec import digest
from kit.report.track.tracked import TrackedRun, tracked_runs
from kit.run.run import Run


def show(run: Run, names: list[str]) -> str:
    """Writes event files of what is not shown yet; if there is more to show than before, the file is written again.

    Returns:
        What was written, and how to see it.
    """
    folder, written = run.root / "tensorboard", 0
    for thing in tracked_runs(run, names):
        written += _write(folder / thing.key, thing)
    return f"tensorboard: {written} written, the rest was there; see it with: tensorboard --logdir {folder}"


def _write(folder: Path, thing: TrackedRun) -> bool:
    content = digest([thing.name, thing.settings, {k: sorted(v.items()) for k, v in thing.scores.items()}])
    try:
        if read_json(folder / "shown.json")["content"] == content:
            return False
    except (OSError, ValueError, LookupError, TypeError):  # nothing is written there yet, or the file is incomplete
        pass
    part = folder.with_name(folder.name + ".part")
    remove(part)
    series: dict[str, dict[str, dict[int, float]]] = {"": {}}
    for name, values in thing.scores.items():
        where, _, what = name.rpartition("/")
        series.setdefault(where, {})[what] = values
    for where, scores in series.items():
        writer = EventFileWriter(str(part / where))
        if not where:
            settings = {name: _plain(value) for name, value in thing.settings.items()}
            writer.add_event(Event(summary=hparams_pb(settings, trial_id=thing.key), step=0))
            lines = "\n".join(f"    {name} = {value}" for name, value in settings.items())
            writer.add_event(Event(summary=text_pb("settings", lines), step=0))
        for what, values in scores.items():
            for step, value in sorted(values.items()):
                summary = Summary(value=[Summary.Value(tag=what, simple_value=value)])
                writer.add_event(Event(summary=summary, step=step))
        writer.close()
    write_json(part / "shown.json", {"content": content})
    remove(folder)
    rename_whole(part, folder)
    return True


def _plain(value: Any) -> bool | int | float | str:
    return value if isinstance(value, (bool, int, float, str)) else json.dumps(value)

"""Predictions of new rows by the models of finished folds, and by their blend."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kit.core.classes import class_named
from kit.core.errors import KitError, nearest
from kit.ensemble import FittedBlend
from kit.images.checked import nothing_else, prediction_note
from kit.images.columns import with_full_names, with_picture_columns
from kit.member import Predictor
from kit.rows import Rows
from kit.run.blend import last_blend, with_blended
from kit.run.fold import checked_predictions, reads_pictures_alone
from kit.run.oof import columns_of
from kit.run.run import Run
from kit.source import Source


def new_rows(run: Run, frame: pd.DataFrame, sides: Mapping[str, Any] | None = None) -> Rows:
    """The rows of a frame in the form that members of this run read: its input columns; a missing text is empty.

    Args:
        run: the run whose members are to read them.
        frame: the rows, with the keys of side tables if the run has some.
        sides: name of a side table → its rows; those of the run by default.

    Raises:
        KitError: a column is missing.

    Warns:
        UserWarning: of cells that are not of their column's type, and so count as missing; of pictures that cannot be
            read.
    """
    table = run.table
    typed, notes = typed_rows(run, frame)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    related = table.sides.with_frames(sides)
    related.check("frame", list(typed.columns))
    keyed = related.keyed([typed], table.schema)
    texts = {name: typed[name].fillna("") for name in table.task.text}
    typed = typed[table.inputs].assign(**texts)
    if table.files:
        typed = with_full_names(table.files, table.task, typed)
        if note := prediction_note(table.files, table.task, typed, "frame", nothing_else(table.task, table.inputs)):
            warnings.warn(note, stacklevel=2)
    source = Source(typed, schema=table.schema, files=table.files, sides=keyed)
    return Rows(table.task, source, np.arange(len(frame)))


def typed_rows(run: Run, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A frame whose columns have the types of the run's columns, and sentences about cells that do not fit.

    Raises:
        KitError: an input column is missing.
    """
    _, frame = with_picture_columns(run.table.task, frame)
    for name in run.table.schema.columns:
        if name not in frame.columns and name not in run.table.task.aside:
            raise KitError(f"frame: column '{name}' is missing" + nearest(name, [str(c) for c in frame.columns]))
    return run.table.schema.apply(frame, id=run.table.task.id)


def fold_predictors(run: Run, member: str) -> Iterator[tuple[int, Predictor]]:
    """Each finished fold of a member with its model. One model is loaded at a time, since some are large.

    Raises:
        KitError: there is no such member, or a model is missing or damaged.
    """
    store, module = run.store(member), type(run.recipe).__module__
    for fold in run.folds:
        if (kept := store.read(fold, test=False)) is not None:
            yield fold, class_named(kept.score["predictor"], Predictor, module).load(store.model(fold))


def predict(run: Run, members: str | Sequence[str] | None, rows: Rows) -> dict[str, np.ndarray]:
    """Predictions of members (all by default). Each is the mean over the models of its finished folds.

    Args:
        run: the run that the members were fitted in.
        members: names of members; None: all.
        rows: rows of the run, or the result of `new_rows`; labels are not read.

    Returns:
        Member → (n, outputs).

    Raises:
        KitError: a member has no finished fold, or its model cannot be loaded, or a prediction is NaN or infinite.
    """
    found = {}
    chosen = run.recipe.chosen(members if members is None or isinstance(members, str) else list(members))
    for name, member in chosen.items():
        means = reads_pictures_alone(member, rows)
        p = [checked_predictions(name, predictor, rows, means) for _, predictor in fold_predictors(run, name)]
        if not p:
            raise KitError(f"'{name}' has no finished fold to predict with; fit it first")
        found[name] = np.mean(p, axis=0)
    return found


def predict_blend(run: Run, frame: pd.DataFrame, rows: Rows | None = None) -> np.ndarray:
    """Predictions (n, outputs) of the run's last blend, before any threshold. Ranks are computed among these rows.

    Args:
        run: the run of the blend.
        frame: the rows, with the columns that the blend reads, if any.
        rows: the same rows in the form of `new_rows`; None: they are made from the frame.

    Raises:
        KitError: there is no blend of the current members and settings, or a member cannot predict.
    """
    if (report := last_blend(run)) is None:
        raise KitError("there is no blend of the current members and settings; blend them first")
    fitted = FittedBlend.load(run.root / "blend" / "weights.json").for_test()
    found = predict(with_blended(run), list(report.weights), new_rows(run, frame) if rows is None else rows)
    return fitted.predict(
        np.stack([found[name] for name in fitted.members]), columns_of(run, typed_rows(run, frame)[0])
    )

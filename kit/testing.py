"""The contract of members and recipes: `check_member` and `check_recipe` test yours, clause by clause."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.member import Member, Predictor
from kit.recipe import Recipe
from kit.rows import Rows
from kit.run.bank import Fold
from kit.run.oof import out_of_fold
from kit.run.run import Run
from kit.source import Source
from kit.task import Task

WORDS = [
    "red",
    "green",
    "blue",
    "grey",
    "sky",
    "sea",
    "sun",
    "rain",
    "good",
    "bad",
    "ugly",
    "fine",
    "nice",
    "dull",
    "calm",
    "loud",
]


class ContractError(AssertionError, KitError):
    """A clause of the contract does not hold."""


def sample_rows(task: Task, n: int = 60, seed: int = 0) -> Rows:
    """Random labelled rows of a task: texts, pictures and numbers that depend on the labels; every label occurs.

    Columns in `task.inputs` that hold neither text nor pictures are numbers; a task without any gets two of them.
    """
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n, task.outputs))
    signal[: 2 * task.outputs] = np.repeat(np.eye(task.outputs), 2, axis=0) * 2 - 1  # each label in two rows at least
    numbers = task.tabular(task.inputs) or ([] if task.text or task.images else ["x1", "x2"])
    columns: dict[str, Any] = {c: signal[:, i % task.outputs] + rng.normal(0, 0.5, n) for i, c in enumerate(numbers)}
    at = (np.argsort(-signal, axis=1)[:, :1] * 3 + rng.integers(0, 3, (n, 6))) % len(WORDS)
    columns |= {c: [" ".join(WORDS[i] for i in row[: 1 + k % 6]) for k, row in enumerate(at)] for c in task.text}
    columns |= {c: [_drawn(row, rng) for row in signal] for c in task.images}
    y = {
        "regression": signal[:, : len(task.targets)] * 3 + 10,
        "multiclass": signal.argmax(axis=1)[:, None].astype(float),
    }.get(task.kind, (signal > 0.3).astype(float))
    return Rows(task, Source(pd.DataFrame(columns)), np.arange(n), y)


def _drawn(signal: np.ndarray, rng: np.random.Generator) -> bytes:
    """A PNG of 16 × 12 pixels: vertical bars, one an output, brighter where its signal is greater."""
    from PIL import Image

    bars = np.repeat(127 + 50 * np.tanh(signal), -(-16 // len(signal)))[:16]
    pixels = (bars[None, :, None] + rng.normal(0, 12, (12, 16, 3))).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def check_member(member: Member, rows: Rows, work: Path) -> None:
    """Fits a member on two thirds of some labelled rows and checks every clause of the contract.

    Args:
        member: small settings, so that a fit takes seconds; it is fitted twice.
        rows: for instance `sample_rows(task)`.
        work: a folder for checkpoints and saved predictors.

    Raises:
        ContractError: names the first clause that does not hold.
    """
    _check_spec(member)
    train, valid = rows.take(np.arange(len(rows) // 3, len(rows))), rows.take(np.arange(len(rows) // 3))
    before = rows.source.frame.copy(deep=True), rows.at.copy(), rows.labels.copy()
    identity = member.identity()
    member.prepare(rows)
    predictor = member.learn(train, valid, _made(work / "first"))
    p = predictor.predict(valid)
    unchanged = before[0].equals(rows.source.frame) and all(map(np.array_equal, before[1:], (rows.at, rows.labels)))
    _clause(unchanged, member, "the input stays untouched: fit or predict changed frame, positions or labels")
    _clause(member.identity() == identity, member, "a fit leaves the identity as it was: its code changes a global")
    _check_predictions(member, p, valid)
    again = member.learn(train, valid, _made(work / "second")).predict(valid)
    _clause(np.array_equal(p, again), member, "the same seed gives the same predictions: a second fit gave others")
    _check_predict(member, predictor, p, valid)
    _check_saved(member, predictor, p, valid, _made(work / "saved"))
    if rows.task.text or rows.task.images:
        _check_refusal(member, rows, _made(work / "plain"))


def _check_refusal(member: Member, rows: Rows, work: Path) -> None:
    """A task without text and pictures is refused by `Member.check`, or fitted."""
    task = rows.task.model_copy(update={"text": (), "images": (), "inputs": ("x1", "x2")})
    try:
        member.check(task)
    except KitError:
        return
    plain = sample_rows(task, 30)
    try:
        member.prepare(plain)
        member.learn(plain, plain.take(np.arange(10)), work)
    except KitError as error:
        clause = f"{type(member).__name__}: a task that it cannot read is refused by check, before any fit: "
        raise ContractError(f"{clause}without text and pictures the fit failed with: {error}") from None


def check_recipe(recipe: Recipe, folder: Path) -> None:
    """Checks a recipe on the files in `folder`, without fitting anything.

    Raises:
        ContractError: names the first clause that does not hold.
        KitError: the files themselves are refused.
    """
    _check_spec(recipe)
    _clause(bool(recipe.members), recipe, "a recipe has members: it has none")
    for preset in recipe.presets:
        try:
            recipe.override(*recipe.overrides(preset))
        except KitError as error:
            said = f"{type(recipe).__name__}: presets name settings there are: preset '{preset}': {error}"
            raise ContractError(said) from None
    for member in recipe.members.values():
        _check_spec(member)
    run = Run(recipe, recipe.load(folder), folder / "nowhere")
    plan = Run(recipe, recipe.load(folder), folder / "nowhere").plan
    _clause(np.array_equal(run.plan, plan), recipe, "the fold plan repeats itself: a second one differs")
    folds = {}
    for fold in run.folds:
        learnt, valid = run.split(fold)
        _clause(
            not set(learnt) & set(valid),
            recipe,
            f"train and validation rows of a fold differ: not in fold {fold}",
        )
        folds[fold] = Fold(run.table.rows(valid).labels[:, :1].repeat(run.table.task.outputs, 1), np.empty(0), {})
    gathered, planned = out_of_fold(run, folds)[:, 0], run.plan >= 0
    whole = np.array_equal(gathered[planned], run.table.y[planned, 0].astype(np.float32))
    _clause(whole, recipe, "out-of-fold predictions are a permutation of the validation rows: they are not")


def _clause(holds: bool, spec: Spec, sentence: str) -> None:
    if not holds:
        raise ContractError(f"{type(spec).__name__}: {sentence}")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _check_spec(spec: Spec) -> None:
    try:
        hash(spec)
    except TypeError as error:
        raise ContractError(f"{type(spec).__name__}: a spec can be hashed: {error}") from None
    try:
        back = type(spec).from_dict(json.loads(json.dumps(spec.to_dict())))
    except (TypeError, ValueError, KitError) as error:
        raise ContractError(f"{type(spec).__name__}: a spec round-trips through JSON: {error}") from None
    _clause(back == spec, spec, "a spec round-trips through JSON: another one came back")


def _check_predictions(member: Member, p: np.ndarray, rows: Rows) -> None:
    wanted = (len(rows), rows.task.outputs)
    _clause(isinstance(p, np.ndarray) and p.dtype.kind == "f", member, "predictions are an array of floats: not so")
    _clause(p.shape == wanted, member, f"predictions have the shape (rows, outputs): {p.shape}, not {wanted}")
    _clause(bool(np.isfinite(p).all()), member, "predictions are finite: some are NaN or infinite")
    if rows.task.kind != "regression":
        _clause(bool(((p >= 0) & (p <= 1)).all()), member, f"probabilities lie in [0, 1]: {p.min():g} to {p.max():g}")
    if rows.task.kind == "multiclass":
        _clause(np.allclose(p.sum(axis=1), 1, atol=1e-4), member, "class probabilities sum to 1: they do not")


def _check_predict(member: Member, predictor: Predictor, p: np.ndarray, rows: Rows) -> None:
    _clause(np.array_equal(predictor.predict(rows), p), member, "predict repeats itself: a second call gave others")
    order = np.random.default_rng(0).permutation(len(rows))
    # sums over rows may be split otherwise when they stand in another order, so the last bits may differ
    mixed = predictor.predict(rows.take(order))
    _clause(np.allclose(mixed, p[order], atol=1e-5), member, "row order does not matter: shuffled rows get others")
    unlabelled = Rows(rows.task, rows.source, rows.at)
    _same(member, lambda: predictor.predict(unlabelled), p, "predict reads no labels: without them")
    sides = rows.source.sides.take(rows.at) if rows.source.sides else None
    fresh = Rows(rows.task, Source(rows.frame, files=rows.source.files, sides=sides), np.arange(len(rows)))
    _same(member, lambda: predictor.predict(fresh), p, "rows of another source are predicted alike: there")


def _check_saved(member: Member, predictor: Predictor, p: np.ndarray, rows: Rows, folder: Path) -> None:
    predictor.save(folder)
    _same(member, lambda: type(predictor).load(folder).predict(rows), p, "a saved predictor predicts the same: loaded,")


def _same(member: Member, predict: Callable[[], np.ndarray], p: np.ndarray, clause: str) -> None:
    try:
        found = predict()
    except Exception as error:
        said = f"{type(member).__name__}: {clause} it failed with {type(error).__name__}: {error}"
        raise ContractError(said) from error
    _clause(found.shape == p.shape and np.allclose(found, p, atol=1e-5), member, f"{clause} predictions differ")

"""The contract: hold your own member or recipe against it. Each broken clause is one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kit.bank import Fold
from kit.blending import out_of_fold
from kit.data import Rows, Source, Task
from kit.member import Member, Predictor
from kit.recipe import Recipe
from kit.run import Run
from kit.spec import KitError, Spec

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
    """A clause of the contract that is broken."""


def sample_rows(task: Task, n: int = 60, seed: int = 0) -> Rows:
    """Random labelled rows of a task: texts and numbers that tell something of the labels, every label present.

    Columns in `task.inputs` that are not text are numbers; a task without inputs and text gets two of them.
    """
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n, task.outputs))
    signal[: 2 * task.outputs] = np.repeat(np.eye(task.outputs), 2, axis=0) * 2 - 1  # each label in two rows at least
    numbers = [c for c in task.inputs if c not in task.text] or ([] if task.text else ["x1", "x2"])
    columns: dict[str, Any] = {c: signal[:, i % task.outputs] + rng.normal(0, 0.5, n) for i, c in enumerate(numbers)}
    at = (np.argsort(-signal, axis=1)[:, :1] * 3 + rng.integers(0, 3, (n, 6))) % len(WORDS)
    columns |= {c: [" ".join(WORDS[i] for i in row[: 1 + k % 6]) for k, row in enumerate(at)] for c in task.text}
    y = {
        "regression": signal[:, : len(task.targets)] * 3 + 10,
        "multiclass": signal.argmax(axis=1)[:, None].astype(float),
    }.get(task.kind, (signal > 0.3).astype(float))
    return Rows(task, Source(pd.DataFrame(columns)), np.arange(n), y)


def check_member(member: Member, rows: Rows, work: Path) -> None:
    """Fits a member on two thirds of some labelled rows and holds it to every clause.

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
    member.prepare(rows)
    predictor = member.fit(train, valid, _made(work / "first"))
    p = predictor.predict(valid)
    unchanged = before[0].equals(rows.source.frame) and all(map(np.array_equal, before[1:], (rows.at, rows.labels)))
    _clause(unchanged, member, "the input stays untouched: fit or predict changed frame, positions or labels")
    _check_predictions(member, p, valid)
    again = member.fit(train, valid, _made(work / "second")).predict(valid)
    _clause(np.array_equal(p, again), member, "the same seed gives the same predictions: a second fit gave others")
    _check_predict(member, predictor, p, valid)
    _check_saved(member, predictor, p, valid, _made(work / "saved"))


def check_recipe(recipe: Recipe, folder: Path) -> None:
    """Holds a recipe to the contract on the files in `folder`; fits nothing.

    Raises:
        ContractError: names the first clause that does not hold.
        KitError: the files themselves are refused.
    """
    _check_spec(recipe)
    _clause(bool(recipe.members), recipe, "a recipe has members: it has none")
    for preset in recipe.presets:
        try:
            recipe.override(*recipe.spelled(preset))
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
        learnt, judged = run.split(fold)
        _clause(not set(learnt) & set(judged), recipe, f"no row is judged by what learnt from it: fold {fold} does so")
        folds[fold] = Fold(run.table.rows(judged).labels[:, :1].repeat(recipe.task.outputs, 1), np.empty(0), {})
    gathered, judged = out_of_fold(run, folds)[:, 0], run.plan >= 0
    whole = np.array_equal(gathered[judged], run.table.y[judged, 0].astype(np.float32))
    _clause(whole, recipe, "out-of-fold predictions are a permutation of the judged rows: they are not")


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
        back = Spec.revive(json.loads(json.dumps(spec.dump())))
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
    fresh = Rows(rows.task, Source(rows.frame), np.arange(len(rows)))
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

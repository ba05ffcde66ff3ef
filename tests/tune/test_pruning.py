"""A search gives up what is hopeless, refuses what cannot be fitted, and goes on."""

from pathlib import Path

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.run.fold import fit_fold
from kit.train.stop import TrainingStopped
from kit.tune.results import line_of
from tests.helpers.tuning import Bench, bench, careless, fits, searched, study_of  # noqa: F401


def test_pruning_saves_folds_and_finds_the_same_place(bench: Bench, tmp_path: Path, fits: Path) -> None:
    pruned = searched(bench, tmp_path / "pruned", trials=20)
    spent = len(fits.read_text().splitlines())
    states = [t["state"] for t in pruned.trials]
    assert states[:5] == ["complete"] * 5 and states.count("pruned") > 2
    assert spent == sum(t["fitted"] for t in pruned.trials) < 3 * 20
    assert all(t["fitted"] < 3 and t["score"] is None for t in pruned.trials if t["state"] == "pruned")
    fits.write_text("")
    plain = searched(bench, tmp_path / "plain", trials=20, pruner="none")
    assert len(fits.read_text().splitlines()) == 60 and {t["state"] for t in plain.trials} == {"complete"}


def test_an_easy_first_fold_does_not_save_a_hopeless_trial(bench: Bench, tmp_path: Path) -> None:
    """Optuna's own rule takes a trial's best value so far, which here is always that of the easy fold."""
    import optuna

    from kit.tune.sampler import AtStep

    trials = [
        optuna.trial.create_trial(value=v, intermediate_values={0: 0.01, 1: v}, state=optuna.trial.TrialState.COMPLETE)
        for v in (1.0, 1.1, 1.2, 1.3, 1.4)
    ]
    study = optuna.create_study()
    study.add_trials(trials)
    hopeless = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING, intermediate_values={0: 0.01, 1: 9.0})
    rule = optuna.pruners.MedianPruner()
    assert not rule.prune(study, hopeless) and AtStep(rule).prune(study, hopeless)
    good = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING, intermediate_values={0: 0.01, 1: 1.0})
    assert not AtStep(rule).prune(study, good)


def test_one_trial_alone_prunes_no_other() -> None:
    """Inside a fold a single trial may have come as far: its value is no median."""
    import optuna

    from kit.tune.sampler import pruner_named

    def ended(last: dict[int, float]) -> optuna.trial.FrozenTrial:
        return optuna.trial.create_trial(
            value=0.5, intermediate_values={1: 0.5, **last}, state=optuna.trial.TrialState.COMPLETE
        )

    rule = pruner_named("median")
    worse = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING, intermediate_values={3: 0.94})
    for far, pruned in ((1, False), (4, False), (5, True)):
        study = optuna.create_study(direction="maximize")
        study.add_trials([ended({3: 0.95} if number < far else {}) for number in range(5)])
        assert rule.prune(study, worse) == pruned


def test_wilcoxons_test_needs_folds_and_then_prunes(bench: Bench, tmp_path: Path, fits: Path) -> None:
    tuned = searched(bench, tmp_path, "folds.n=6", trials=12, pruner="wilcoxon")
    pruned = [t["fitted"] for t in tuned.trials if t["state"] == "pruned"]
    assert pruned and min(pruned) >= 3 and max(pruned) < 6  # of two folds the least p is 1/4, of three 1/8


def test_epochs_of_a_network_that_scores_them_end_a_hopeless_fold(bench: Bench, tmp_path: Path) -> None:
    tuned = searched(bench, tmp_path, member="net", trials=9, folds=(0, 1))
    pruned = [t for t in tuned.trials if t["state"] == "pruned"]
    early = [t for t in pruned if t["fitted"] == 0]
    steps = {t.number: t.last_step for t in study_of(tmp_path, "net").trials}
    assert early and all("pruned in its first fold" in line_of(t, tuned.best, "rmse", "net") for t in early)
    for trial in early:
        part = tmp_path / "run" / trial["store"] / "fold0.part"
        assert 1 <= steps[trial["number"]] < 8  # epochs of the first fold that were judged, of 8
        assert not list(part.rglob("last.pt")) and not (part / "error.txt").exists()
    # what judges no epochs is pruned by folds alone
    plain = searched(bench, tmp_path / "plain", "net.stop=none", member="net", trials=7, folds=(0, 1))
    assert all(t["fitted"] == 1 for t in plain.trials if t["state"] == "pruned")


def test_a_stopped_training_leaves_nothing_that_looks_failed(bench: Bench, tmp_path: Path) -> None:
    epochs: list[int] = []

    def should_stop(epoch: int, score: float) -> bool:
        epochs.append(epoch)
        return epoch == 3

    run = bench.run(tmp_path)
    with pytest.raises(TrainingStopped):
        fit_fold(run, "net", 0, should_stop)
    assert epochs == [1, 2, 3] and run.store("net").state(0) == "part"
    assert fit_fold(run, "net", 0).state == "done" and epochs == [1, 2, 3]
    whole = bench.run(tmp_path / "whole")
    fit_fold(whole, "net", 0)
    np.testing.assert_array_equal(run.gathered("net")[0].valid, whole.gathered("net")[0].valid)


def test_a_trial_that_cannot_be_fitted_is_refused_and_the_others_go_on(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kit.tune import choice

    monkeypatch.setattr(bench.cls, "tune", {"bowl.kind": choice("x", "y", "z")})
    tuned = searched(bench, tmp_path, trials=10)
    ill = [t for t in tuned.trials if t["state"] == "refused"]
    assert ill and all(t["settings"] == ["bowl.kind=z"] for t in ill) and len(tuned.trials) == 10
    said = line_of(ill[0], tuned.best, "rmse", "bowl")
    assert "refused: fold 0 failed: RuntimeError: z is ill (all of it in " in said and said.endswith("· kind=z")
    with pytest.raises(
        KitError, match="^no trial of bowl could be scored; trial 0: fold 0 failed: RuntimeError: z is ill"
    ):
        searched(bench, tmp_path, "bowl.kind=z", trials=1)

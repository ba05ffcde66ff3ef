"""Every technique of the encoder, chosen by a setting: it learns, does another thing than the plain fit, and comes back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from kit.core.errors import KitError
from kit.members import Perceptron
from kit.members.encoder.dataset import tokens_of
from kit.members.network.fitted import NetworkPredictor
from kit.metrics import mean_roc_auc
from kit.rows import Rows
from kit.task import Task
from kit.train import Stage
from tests.helpers.encoders import bert, one_thread, rows_of, spec_of  # noqa: F401

SETTINGS = {
    "binary": [
        "optimizer=SGD", "optimizer=Adam", "optimizer=RAdam", "optimizer=Lars", "optimizer=Lamb",
        "optimizer=Lookahead(k=2)", "schedule=OneCycle", "schedule=SlantedTriangular", "schedule=Cosine",
        "freeze=1", "freeze_embeddings=true", "gradual=1", "only_head=true", "reinit=1", "stage.steps=7",
        "loss=Focal", "loss=Asymmetric", "loss=BCE(smoothing=0.1)", "loss=SoftF1", "loss=SoftAUC", "loss=BiTempered",
        "loss=Flooding(loss=BCE,level=0.7)", "perturb=FGM", "perturb=FGSM", "perturb=PGD", "perturb=FreeLB",
        "perturb=AWP(eps=0.05)", "perturb=VAT(link=sigmoid)", "perturb=GradientPenalty", "rdrop=1", "noise=NEFTune",
        "noise=GaussianNoise", "noise=UniformNoise", "mix=EmbeddingMixup", "average=EMA(decay=0.9)",
        "average=SWA(since=0.5)", "samples=3", "heads=2", "mixout=0.5", "weight_noise=0.5", "noisy_tune=1",
        "spectral_norm=true", "spectral_penalty=1", "stop=inner", "then=Stage(optimizer=SGD,lr=0.1)", "precision=bf16",
    ],
    "multiclass": ["loss=Focal", "loss=Ordinal", "loss=CrossEntropy(smoothing=0.1)", "mix=EmbeddingMixup", "rdrop=1",
                   "heads=2", "perturb=VAT", "heads=2 perturb=VAT(link=softmax)"],
    "regression": ["loss=Huber(delta=0.5)", "loss=Quantile(q=0.9)", "rdrop=1", "heads=3", "mix=EmbeddingMixup"],
}  # fmt: skip
CASES = [(kind, setting) for kind, settings in SETTINGS.items() for setting in settings]
PLAIN: dict[str, np.ndarray] = {}


@pytest.mark.parametrize("kind, setting", CASES, ids=["-".join(case) for case in CASES])
def test_a_setting_changes_the_fit_and_the_predictor_comes_back(
    kind: str,
    setting: str,
    bert: Path,
    tmp_path: Path,
) -> None:
    rows = rows_of(kind)
    if kind not in PLAIN:
        PLAIN[kind] = spec_of(bert).learn(rows, rows, tmp_path / "plain").predict(rows)
    fitted = spec_of(bert).override(*setting.split()).learn(rows, rows, tmp_path / "work")
    p = fitted.predict(rows)
    assert np.isfinite(p).all() and not np.array_equal(p, PLAIN[kind])
    assert not any("parametrizations" in name or "singular" in name for name in fitted.net.state_dict())
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(rows), p)


@pytest.mark.parametrize("setting", ["checkpointing=true", "save_every=5", "workers=1", "workers=0"])
def test_what_saves_memory_or_time_changes_no_number(setting: str, bert: Path, tmp_path: Path) -> None:
    rows = rows_of()
    plain, other = (
        spec.learn(rows, rows, tmp_path / str(i)).predict(rows)
        for i, spec in enumerate((spec_of(bert), spec_of(bert).override(setting)))
    )
    np.testing.assert_allclose(plain, other, rtol=0, atol=1e-6)


def test_snapshots_answer_with_their_mean(bert: Path, tmp_path: Path) -> None:
    rows = rows_of()
    spec = spec_of(bert).override("epochs=4", "schedule=CosineRestarts(cycles=4)", "average=Snapshots(cycles=4,keep=3)")
    fitted = spec.learn(rows, rows, tmp_path / "work")
    single, alone = [], NetworkPredictor(fitted.spec, fitted.dataset, fitted.net, fitted.scale)
    for state in fitted.snapshots:
        alone.net.load_state_dict(state)
        single.append(alone.predict(rows))
    assert len(single) == 3
    np.testing.assert_array_equal(fitted.predict(rows), np.mean(single, axis=0))
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(rows), fitted.predict(rows))


@pytest.mark.parametrize("setting", ["mixout=0.5", "weight_noise=0.5", "spectral_norm=true", "spectral_penalty=1"])
def test_snapshots_of_a_network_in_training_answer_as_plain_ones(setting: str, bert: Path, tmp_path: Path) -> None:
    rows = rows_of()
    spec = spec_of(bert).override("schedule=CosineRestarts(cycles=2)", "average=Snapshots(cycles=2)", setting)
    fitted = spec.learn(rows, rows, tmp_path / "work")
    assert len(fitted.snapshots) == 2
    assert all(state.keys() == fitted.net.state_dict().keys() for state in fitted.snapshots)
    assert_same_weights(fitted.net.state_dict(), fitted.snapshots[-1])  # as its last step left it
    p = fitted.predict(rows)
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(rows), p)


def assert_same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("setting", ["noise=GaussianNoise(std=1)", "perturb=FGM", "mix=EmbeddingMixup"])
def test_a_compiled_fit_after_a_plain_one_still_has_its_hooks(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    frame, y = pd.DataFrame(rng.normal(size=(24, 3)), columns=["a", "b", "c"]), rng.integers(0, 2, 24)
    task = Task(name="t", kind="binary", targets=("y",), inputs=("a", "b", "c"), metric=mean_roc_auc)
    rows = Rows.of(task, frame, y)
    plain = Perceptron(hidden=(4,), stage=Stage(epochs=2, lr=0.05, precision="fp32"))
    answers = [
        s.learn(rows, rows, tmp_path / str(i)).predict(rows) for i, s in enumerate((plain, plain.override(setting)))
    ]
    real = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: real(self, backend="eager"))
    torch._dynamo.reset()
    for i, spec in enumerate((plain, plain.override(setting), plain)):
        compiled = spec.override("compile=true").learn(rows, rows, tmp_path / f"compiled{i}").predict(rows)
        np.testing.assert_allclose(compiled, answers[i % 2], rtol=0, atol=1e-5)
    assert np.abs(answers[0] - answers[1]).max() > 1e-3
    torch._dynamo.reset()


def test_vat_reads_outputs_as_the_task_does(bert: Path, tmp_path: Path) -> None:
    rows = rows_of("multilabel")
    specs = [spec_of(bert).override(f"perturb=VAT{link}", "stage.steps=3") for link in ("", "(link=sigmoid)")]
    answers = [spec.learn(rows, rows, tmp_path / str(i)).predict(rows) for i, spec in enumerate(specs)]
    np.testing.assert_array_equal(*answers)


def test_stopping_on_the_validation_fold_keeps_its_best_epoch(bert: Path, tmp_path: Path) -> None:
    train, valid = rows_of(), rows_of(seed=1)
    spec = spec_of(bert).override("epochs=5", "stop=valid")
    assert spec.early_stops_on_valid and not spec_of(bert).override("stop=inner").early_stops_on_valid
    kept = valid.task.metric(valid.labels, spec.learn(train, valid, tmp_path / "work").predict(valid))
    last = valid.task.metric(valid.labels, spec.override("stop=none").learn(train, valid, tmp_path).predict(valid))
    assert kept >= last
    state = torch.load(tmp_path / "work" / "last.pt", weights_only=True)
    assert max(state["best"]["scores"]) == pytest.approx(kept) and len(state["best"]["scores"]) == 5


def test_joint_heads_grow_apart_with_diversity(bert: Path, tmp_path: Path) -> None:
    rows = rows_of()

    def spread(diversity: float) -> float:
        stage = Stage(epochs=10, lr=1e-2, head_lr=2e-2, precision="fp32")
        spec = spec_of(bert, stage).override("heads=3", f"diversity={diversity}")
        net = spec.learn(rows, rows, tmp_path / str(diversity)).net
        net.head.train()  # answers one by one
        with torch.no_grad():
            each = net(**tokens_of(rows, bert, 16).padded(rows.at)).sigmoid()
        return float(each.var(0).mean())

    assert spread(4.0) > 2 * spread(0.0)


REFUSED = {
    "diversity=0.5": "Regularise: diversity = 0.5 needs heads = 2 or more",
    "patience=2": "Encoder: patience = 2 has no effect with stop=none; take stop=inner",
    "schedule=Plateau": "Encoder: schedule=Plateau needs scores, and stop=none computes none; take stop=inner",
    "perturb=FGM(start=3,start_score=0.9)": "Encoder: start_score needs scores, and stop=none computes none; take stop=inner",
    "stage=Stage(schedule=CosineRestarts(cycles=2),average=Snapshots(cycles=2)) then=Stage()": "Encoder: average=Snapshots must be in the last stage, with stop=none",
    "loss=Huber": "Huber cannot be the loss of a binary task; take BCE, Focal or Asymmetric",
    "perturb=VAT(link=softmax)": "VAT.link = 'softmax', but outputs of a binary task are read with 'sigmoid'; leave link out",
    "language=0.5 mix=EmbeddingMixup": "Encoder: language predicts the next token of one text, and mix makes one row of two; leave one out",
    "perturb=FGMM": "no Perturb is called 'FGMM'; did you mean 'FGM'?",
    "mix=CutMix": "CutMix cuts pixels",
}


@pytest.mark.parametrize("setting", REFUSED)
def test_what_cannot_work_is_said(setting: str, bert: Path, tmp_path: Path) -> None:
    with pytest.raises(KitError) as error:
        spec_of(bert).override(*setting.split()).learn(rows_of(), rows_of(), tmp_path)
    assert str(error.value).startswith(REFUSED[setting])

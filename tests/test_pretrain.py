"""A language model before the folds: windows of the text, ULMFiT from the same weights, given weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_encoder_member import one_thread  # noqa: F401
from test_textnet_member import SMALL, STAGE, auc, rows_of

from kit.members import TextNet, ULMFiT
from kit.members.fitted import NetworkPredictor
from kit.members.nets import AWDLSTM, ONLSTM, Net, Transformer
from kit.members.textnet_reader import SequenceReader
from kit.models.language_model import LanguageModel
from kit.pretrain import LanguageModelling
from kit.pretrain.language import Windows
from kit.spec import KitError
from kit.train import Stage

START = np.array([0, 1, 6, 13, 15])
IDS = np.arange(15) + 2
TINY = {k: v for k, v in SMALL.items() if k != "stage"} | {"vector_dropout": 0.0}


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("size", [2, 4, 50])
def test_every_unit_but_a_rows_first_is_foretold_once(size: int, backwards: bool) -> None:
    windows = Windows(IDS, START, size, backwards)
    foretold, given = [], []
    for i in range(len(windows.length)):
        batch = windows.padded(np.array([i]))
        ids = batch["ids"][0].tolist()
        assert 2 <= len(ids) <= size and batch["mask"].all() and len(ids) == windows.length[i]
        assert (np.diff(ids) == (-1 if backwards else 1)).all()  # within a row, in its own order
        given += ids[:1]
        foretold += ids[1:]
    first = {IDS[b] for b in START[:-1]} if not backwards else {IDS[e - 1] for e in START[1:]}
    assert sorted(foretold) == sorted(set(IDS.tolist()) - first)


def language() -> LanguageModelling:
    stage = Stage(epochs=8, lr=2e-2, precision="fp32")
    return LanguageModelling(window=12, batch_units=240, stage=stage, embedding_dropout=0, dropout=0, ar=0, tar=0)


def test_it_learns_the_language_and_the_classifier_begins_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of(folder=tmp_path / "cache")
    spec = ULMFiT(**TINY, pretrain=language(), stage=STAGE.override("epochs=10", "gradual=2"))
    spec = spec.override("net=AWDLSTM(hidden=24,layers=2,weight_drop=0.1)")
    reader = SequenceReader.learnt(spec, rows)
    said = capsys.readouterr().out
    perplexity = float(said.rsplit(" ", 1)[1])
    assert "language model of" in said and 1 < perplexity < 11  # eleven words, drawn at random
    assert reader.weights is not None
    body, fresh = reader.body(), SequenceReader(spec, reader.columns, reader.units).body()
    for name, value in reader.weights.items():
        np.testing.assert_array_equal(body.state_dict()[name].numpy(), value)
    assert not torch.equal(body.net.layers[0].lstm.weight_hh_l0, fresh.net.layers[0].lstm.weight_hh_l0)
    assert body.pretrained and not fresh.pretrained
    fitted = spec.fit(rows, rows, tmp_path / "work")
    assert auc(fitted, rows) > 0.7 and not capsys.readouterr().out  # learnt once for all folds
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(rows), fitted.predict(rows))


def test_a_twin_reads_backwards(tmp_path: Path) -> None:
    rows = rows_of(40)
    spec = TextNet(**TINY, stage=STAGE)
    ahead, back = (s.reader(rows).inputs(rows).padded(np.arange(5)) for s in (spec, spec.override("backwards=true")))
    for row, mask, turned in zip(ahead["words"], ahead["attention_mask"] > 0, back["words"], strict=True):
        assert row[mask].flip(0).equal(turned[mask]) and not turned[~mask].any()


def test_a_given_model_folder_is_where_it_begins(tmp_path: Path) -> None:
    rows = rows_of(60)
    net = "net=AWDLSTM(hidden=24,layers=1)"
    first = TextNet(**TINY, stage=STAGE).override(net, "stage.epochs=1").fit(rows, rows, tmp_path / "work")
    folder = tmp_path / "model"
    folder.mkdir()
    first.save(folder)
    still = language().override(f"weights={folder}", "stage.lr=1e-12")
    deep = AWDLSTM(hidden=24, layers=1)
    begun = TextNet(**TINY, stage=STAGE, net=deep, pretrain=still).reader(rows_of(30, seed=3)).body()
    own = begun.state_dict()
    for name, value in first.net.body.net.state_dict().items():
        if "pool" not in name:
            torch.testing.assert_close(own["net." + name], value, atol=1e-5, rtol=0)
    other = TextNet(**TINY | {"width": 20}, stage=STAGE, net=deep, pretrain=still)
    with pytest.raises(KitError, match="holds another network, or vectors of another width"):
        other.reader(rows)
    with pytest.raises(KitError, match=r"is no model folder of a TextNet: units\.json is missing"):
        TextNet(**TINY, net=deep, pretrain=language().override(f"weights={tmp_path}")).reader(rows)


def test_a_killed_language_model_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = TextNet(**TINY, stage=STAGE, net=AWDLSTM(hidden=16, layers=1), pretrain=language())
    expected = SequenceReader.learnt(spec, rows_of(60)).weights
    rows, left, get = rows_of(60, folder=tmp_path), [9], Windows.padded
    monkeypatch.setattr("kit.pretrain.language.SAVE_EVERY", 0.0)

    def failing(self: Windows, at: np.ndarray) -> dict[str, torch.Tensor]:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return get(self, at)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Windows, "padded", failing)
        SequenceReader.learnt(spec, rows)
    found = SequenceReader.learnt(spec, rows).weights
    assert expected is not None and found is not None
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    assert not list(tmp_path.glob("*/*.work"))


def test_perplexity_is_that_of_the_trained_model_and_not_of_its_training(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Kept(LanguageModel):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            made.append(self)

    monkeypatch.setattr("kit.models.language_model.LanguageModel", Kept)
    windows = Windows(np.random.default_rng(0).integers(2, 9, 300), np.array([0, 1, 40, 41, 300]), 12)
    embedding, net = torch.nn.Embedding(9, 8), AWDLSTM(hidden=8, layers=1).build(8)
    spec = language().override("ar=30", "tar=30", "dropout=0.5", "embedding_dropout=0.3", "stage.epochs=2")
    found = spec.learn(embedding, net, windows, 0)
    cost, foretold = 0.0, 0
    for i in range(len(windows.length)):
        cost += made[0].eval()(**windows.padded(np.array([i]))).item()
        foretold += int(windows.length[i]) - 1
    assert found == pytest.approx(cost / foretold, rel=1e-5)
    assert 0.5 < found < 3  # log 7 = 1.95


REFUSED = {
    "net=AWDLSTM pretrain=LanguageModelling use=words,tags": "TextNet: pretrain: a language model foretells one sequence, and reads no sentences apart",
    **{
        f"net={net} pretrain=LanguageModelling": f"TextNet: pretrain: net={net.split('(')[0]} sees the words that a "
        "language model foretells; take net=AWDLSTM, ONLSTM(both=false) or Transformer(causal=true) first"
        for net in ("TextCNN", "DPCNN", "RCNN", "RNN", "ONLSTM", "Transformer")
    },
    "backwards=true net=HAN": "TextNet: backwards: net=HAN reads sentences; take a network of words",
}


@pytest.mark.parametrize("settings", REFUSED)
def test_what_is_refused(settings: str) -> None:
    with pytest.raises(KitError) as error:
        TextNet().override(*settings.split())
    assert str(error.value) == REFUSED[settings]


@pytest.mark.parametrize(
    "net", [cls() for cls in Net.__subclasses__()] + [ONLSTM(both=False), Transformer(causal=True)]
)
def test_a_network_says_whether_it_can_foretell(net: Net) -> None:
    assert net.foretells == bool(getattr(net.build(16), "causal", False))

"""A language model before the folds: windows of the text, ULMFiT from the same weights, given weights."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kit.core.errors import KitError
from kit.members import TextNet, ULMFiT
from kit.members.network.fitted import NetworkPredictor
from kit.members.textnet.nets import AWDLSTM, ONLSTM, Net, Transformer
from kit.models.language_model import LanguageModel
from kit.pretrain import LanguageModelling
from kit.pretrain.blocks import BlockBatches, TextBlocks
from kit.pretrain.language import NextUnit
from kit.train import LoopStage
from tests.helpers.encoders import one_thread  # noqa: F401
from tests.helpers.textnets import SMALL, STAGE, auc, rows_of

START = np.array([0, 1, 6, 13, 15])
IDS = np.arange(15) + 2
TINY = {k: v for k, v in SMALL.items() if k != "stage"} | {"vector_dropout": 0.0}


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("size", [2, 4, 50])
def test_every_unit_but_a_rows_first_is_predicted_once(size: int, backwards: bool) -> None:
    windows = TextBlocks(IDS, START, size, backwards)
    predicted, given = [], []
    for i in range(len(windows.length)):
        batch = windows.padded(np.array([i]))
        ids = batch["ids"][0].tolist()
        assert 2 <= len(ids) <= size and batch["mask"].all() and len(ids) == windows.length[i]
        assert (np.diff(ids) == (-1 if backwards else 1)).all()  # within a row, in its own order
        given += ids[:1]
        predicted += ids[1:]
    first = {IDS[b] for b in START[:-1]} if not backwards else {IDS[e - 1] for e in START[1:]}
    assert sorted(predicted) == sorted(set(IDS.tolist()) - first)


@pytest.mark.parametrize("backwards", [False, True])
def test_texts_are_read_side_by_side_each_window_after_the_one_before(backwards: bool) -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 40, 50)
    start = np.concatenate([[0], np.cumsum(lengths)])
    blocks = TextBlocks(rng.integers(2, 9, start[-1]), start, 6, backwards)
    batches = BlockBatches(blocks, 4, seed=1, pool=3)
    orders = []
    for epoch in (1, 2):
        reading: dict[int, tuple[int, int]] = {}  # place → text that is read there, and its last window
        done: list[int] = []
        for rows in batches.plan(epoch):
            batch, own = batches[rows]["inputs"], rows % len(blocks.length)
            for window, place, begins, size in zip(
                own, batch["places"].tolist(), batch["begins"].tolist(), batch["mask"].sum(1).tolist(), strict=True
            ):
                text = int(np.searchsorted(blocks.texts[0], window, side="right")) - 1
                if begins:
                    assert place < 4 and size == blocks.length[window]
                else:  # it goes on in its place, and the unit that ended a window begins the next
                    assert reading[place] == (text, window + (1 if backwards else -1))
                reading[place] = (text, int(window))
                done.append(int(window))
            assert len(set(batch["places"].tolist())) == len(own) <= 4
        assert sorted(done) == list(range(len(blocks.length)))
        orders.append(done)
    assert orders[0] != orders[1]
    assert [r.tolist() for r in batches.plan(2)] == [r.tolist() for r in BlockBatches(blocks, 4, 1, 3).plan(2)]
    first = batches.plan(1)[0]
    assert torch.equal(batches[first]["inputs"]["places"], torch.arange(len(first)))  # asked for again, after another


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("size, overlap", [(4, 1), (6, 3), (5, 2)])
def test_windows_that_overlap_predict_each_unit_once_and_read_what_comes_before(
    size: int, overlap: int, backwards: bool
) -> None:
    """Each predicted unit has `overlap` units and one more before it in its window, or as many as its text has."""
    rng = np.random.default_rng(0)
    start = np.concatenate([[0], np.cumsum(rng.integers(0, 20, 30))])
    ids = np.arange(start[-1])
    blocks = TextBlocks(ids, start, size, backwards, overlap)
    predicted: list[int] = []
    batches = BlockBatches(blocks, 3, seed=0)
    for rows in batches.plan(1):
        given = batches[rows]["inputs"]
        for units, mask, read in zip(given["ids"], given["mask"], given["overlap"].tolist(), strict=True):
            window = units[mask > 0].tolist()
            new = window[1 + read :]
            assert len(window) <= size and new
            text = int(np.searchsorted(start, window[0], side="right")) - 1
            first = start[text + 1] - 1 if backwards else start[text]
            assert window[0] == first if read == 0 else len(window) > read == overlap
            predicted += new
    firsts = {(e - 1 if backwards else b) for b, e in pairwise(start) if e > b}
    assert sorted(predicted) == sorted(set(ids.tolist()) - firsts) and blocks.predicted == len(predicted)
    assert blocks.some(4).overlap == overlap


def test_a_window_that_overlaps_costs_what_its_new_units_cost() -> None:
    """The sum over windows is that of each unit given the units before it in its window, counted once."""
    torch.manual_seed(0)
    net = Transformer(width=8, layers=1, heads=2, between=0.0, causal=True).build(8)
    model = LanguageModel(UNITS := 9, 8, net, embedding_dropout=0, dropout=0, ar=1.5, tar=0.5).train()
    ids = np.random.default_rng(0).integers(1, UNITS, 23)
    blocks, naive, cost = TextBlocks(ids, np.array([0, 20, 23]), 6, overlap=3), 0.0, 0.0
    for rows in (batches := BlockBatches(blocks, 2, seed=0)).plan(1):
        cost += model(**batches[rows]["inputs"]).sum()
    for begin, first, end in [*((b, b + 4 if b else 1, b + 6) for b in range(0, 16, 2)), (20, 21, 23)]:
        row = torch.from_numpy(ids[None, begin : min(end, 20 if begin < 20 else 23)])
        states = model.states(row, torch.ones_like(row))[0]
        nats = model.surprise(row, torch.ones_like(row))[0]
        for at in range(first, begin + row.shape[1]):
            naive += nats[at - begin] + 1.5 * states[at - begin - 1].square().mean()
            if at - begin > 1:
                naive += 0.5 * (states[at - begin - 1] - states[at - begin - 2]).square().mean()
    torch.testing.assert_close(cost, naive)
    assert NextUnit(blocks.predicted / len(blocks.length)).units * len(blocks.length) == 21


def test_only_a_network_without_a_state_reads_units_again() -> None:
    spec, ids, start = LanguageModelling(window=12), np.arange(40), np.array([0, 40])
    assert spec.blocks(ids, start, False, carries=True).overlap == 0
    alone = spec.blocks(ids, start, True, carries=False)
    assert (alone.size, alone.overlap, alone.backwards) == (12, 6, True)
    assert spec.override("overlap=0").blocks(ids, start, False, carries=False).overlap == 0


def test_every_predicted_unit_counts_the_same_however_long_its_window_is() -> None:
    class Says(torch.nn.Module):
        def forward(self, ids: torch.Tensor, mask: torch.Tensor, **more: Any) -> torch.Tensor:
            return (self.scale * ids[:, 1:] * mask[:, 1:]).sum(1)  # a unit costs its number

    model, blocks = Says(), TextBlocks(IDS, START, 4)
    assert set(blocks.length.tolist()) == {2, 4} and blocks.predicted == 11
    model.scale = torch.ones(())
    batches = BlockBatches(blocks, 2, 0)
    losses = [NextUnit(blocks.predicted / len(blocks.length))(model, batches[rows]).loss for rows in batches.plan(1)]
    # the loop divides the sum over windows by their number: the mean over all units but the first of each text
    mean = np.delete(IDS, START[:-1]).mean()
    assert float(sum(losses)) / len(blocks.length) == pytest.approx(mean)


def language() -> LanguageModelling:
    stage = LoopStage(epochs=8, lr=2e-2, precision="fp32")
    return LanguageModelling(window=12, batch_units=240, stage=stage, embedding_dropout=0, dropout=0, ar=0, tar=0)


def test_it_learns_the_language_and_the_classifier_begins_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of(folder=tmp_path / "cache")
    spec = ULMFiT(**TINY, pretrain=language(), stage=STAGE.override("epochs=10", "gradual=2"))
    spec = spec.override("net=AWDLSTM(hidden=24,layers=2,weight_drop=0.1)")
    dataset = spec.make_dataset(rows)
    weights = spec.language_weights(dataset, rows)
    said = capsys.readouterr().out
    perplexity = float(said.rsplit(" ", 1)[1])
    assert "language model of" in said and 1 < perplexity < 11  # eleven words, drawn at random
    body, fresh = spec.make_body(dataset, rows), spec.make_body(dataset)
    for name, value in weights.items():
        np.testing.assert_array_equal(body.state_dict()[name].numpy(), value)
    assert not torch.equal(body.net.layers[0].lstm.weight_hh_l0, fresh.net.layers[0].lstm.weight_hh_l0)
    assert body.pretrained and not fresh.pretrained
    fitted = spec.learn(rows, rows, tmp_path / "work")
    assert auc(fitted, rows) > 0.7 and not capsys.readouterr().out  # learnt once for all folds
    (tmp_path / "model").mkdir()
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "model").predict(rows), fitted.predict(rows))


def test_a_twin_reads_backwards(tmp_path: Path) -> None:
    rows = rows_of(40)
    spec = TextNet(**TINY, stage=STAGE)
    ahead, back = (
        s.make_dataset(rows).inputs(rows).padded(np.arange(5)) for s in (spec, spec.override("backwards=true"))
    )
    for row, mask, turned in zip(ahead["words"], ahead["attention_mask"] > 0, back["words"], strict=True):
        assert row[mask].flip(0).equal(turned[mask]) and not turned[~mask].any()


def test_a_given_model_folder_is_where_it_begins(tmp_path: Path) -> None:
    rows = rows_of(60)
    net = "net=AWDLSTM(hidden=24,layers=1)"
    first = TextNet(**TINY, stage=STAGE).override(net, "stage.epochs=1").learn(rows, rows, tmp_path / "work")
    folder = tmp_path / "model"
    folder.mkdir()
    first.save(folder)
    still = language().override(f"weights={folder}", "stage.lr=1e-12")
    deep = AWDLSTM(hidden=24, layers=1)
    spec, few = TextNet(**TINY, stage=STAGE, net=deep, pretrain=still), rows_of(30, seed=3)
    begun = spec.make_body(spec.make_dataset(few), few)
    own = begun.state_dict()
    for name, value in first.net.body.net.state_dict().items():
        if "pool" not in name:
            torch.testing.assert_close(own["net." + name], value, atol=1e-5, rtol=0)
    other = TextNet(**TINY | {"width": 20}, stage=STAGE, net=deep, pretrain=still)
    with pytest.raises(KitError, match="holds another network, or vectors of another width"):
        other.prepare(rows)
    with pytest.raises(KitError, match=r"is no model folder of a TextNet: units\.json is missing"):
        TextNet(**TINY, net=deep, pretrain=language().override(f"weights={tmp_path}")).prepare(rows)


def test_a_killed_language_model_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = TextNet(**TINY, stage=STAGE, net=AWDLSTM(hidden=16, layers=1), pretrain=language())
    expected = spec.language_weights(spec.make_dataset(rows_of(60)), rows_of(60))
    rows, left, get = rows_of(60, folder=tmp_path), [9], TextBlocks.padded
    monkeypatch.setattr("kit.pretrain.language.SAVE_EVERY", 0.0)

    def failing(self: TextBlocks, at: np.ndarray) -> dict[str, torch.Tensor]:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return get(self, at)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TextBlocks, "padded", failing)
        spec.prepare(rows)
    found = spec.language_weights(spec.make_dataset(rows), rows)
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
    windows = TextBlocks(np.random.default_rng(0).integers(2, 9, 300), np.array([0, 1, 40, 41, 300]), 12)
    embedding, net = torch.nn.Embedding(9, 8), AWDLSTM(hidden=8, layers=1).build(8)
    spec = language().override("ar=30", "tar=30", "dropout=0.5", "embedding_dropout=0.3", "stage.epochs=2")
    found = spec.learn(embedding, net, windows, 0)
    cost, predicted = 0.0, 0
    for begin, end in ((1, 40), (41, 300)):  # each text in one piece: its windows are one text to the model
        ids = torch.from_numpy(windows.ids[None, begin:end])
        cost += made[0].eval()(ids, torch.ones(ids.shape)).item()
        predicted += end - begin - 1
    assert found == pytest.approx(cost / predicted, rel=1e-4)
    assert 0.5 < found < 3  # log 7 = 1.95


REFUSED = {
    "net=AWDLSTM pretrain=LanguageModelling use=words,tags": "TextNet: pretrain: a language model predicts one sequence, and does not read sentences separately",
    **{
        f"net={net} pretrain=LanguageModelling": f"TextNet: pretrain: net={net.split('(')[0]} sees the words that a "
        "language model predicts; take net=AWDLSTM, ONLSTM(both=false) or Transformer(causal=true) first"
        for net in ("TextCNN", "DPCNN", "RCNN", "RNN", "ONLSTM", "Transformer")
    },
    "net=AWDLSTM pretrain=LanguageModelling(overlap=5)": "TextNet: pretrain.overlap = 5: net=AWDLSTM carries its state "
    "from one window to the next, so it need not read units again; leave overlap out",
    "net=AWDLSTM pretrain=LanguageModelling(window=9,overlap=5)": "LanguageModelling: overlap = 5 is more than half of window = 9",
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
def test_a_network_says_whether_it_can_predict(net: Net) -> None:
    built = net.build(16)
    assert net.is_causal == bool(getattr(built, "causal", False))
    assert net.carries_state == bool(getattr(built, "memory_widths", []))

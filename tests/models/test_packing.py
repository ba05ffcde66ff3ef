"""Packed batches: the same numbers and gradients as padded ones, with the models that allow it and no others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AlbertConfig,
    AlbertModel,
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    RobertaConfig,
    RobertaModel,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from kit.members.encoder import backbone
from kit.models import packing
from kit.models.encoder import TextEncoder
from kit.models.packing import pack
from kit.train import Stage
from tests.helpers.encoders import bert, rows_of, spec_of  # noqa: F401 (a fixture)

SMALL: dict[str, Any] = dict(
    vocab_size=30,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=20,
)
MODELS: dict[str, Any] = {
    "bert": lambda: BertModel(BertConfig(**SMALL), add_pooling_layer=False),
    "roberta": lambda: RobertaModel(RobertaConfig(**SMALL, pad_token_id=1), add_pooling_layer=False),
    "electra": lambda: ElectraModel(ElectraConfig(**SMALL, embedding_size=8)),
    "albert": lambda: AlbertModel(AlbertConfig(**SMALL, embedding_size=8), add_pooling_layer=False),
    "distilbert": lambda: DistilBertModel(DistilBertConfig(vocab_size=30, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=20)),
}  # fmt: skip


def batch(pad: int = 0) -> dict[str, torch.Tensor]:
    mask = torch.tensor([[1] * n + [0] * (9 - n) for n in (9, 4, 1, 6)])
    ids = torch.randint(4, 30, mask.shape, generator=torch.Generator().manual_seed(1))
    return {"input_ids": torch.where(mask.bool(), ids, pad), "attention_mask": mask}


def made(name: str) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MODELS[name]()
        for weight in model.parameters():  # layers as they begin hardly attend to anything
            torch.nn.init.normal_(weight, std=0.3)
    return model


def test_pack_by_hand() -> None:
    packed = pack(
        torch.tensor([[5, 6, 0], [7, 0, 0], [8, 9, 4]]), torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 1]]), first=2
    )
    assert packed["input_ids"].tolist() == [[5, 6, 7, 8, 9, 4]]
    assert packed["position_ids"].tolist() == [[2, 3, 2, 2, 3, 4]]
    assert packed["offsets"].tolist() == [0, 2, 3, 6] and packed["slots"].tolist() == [0, 1, 3, 6, 7, 8]


def test_nobody_sees_torch_s_warning_about_nested_tensors(recwarn: pytest.WarningsRecorder) -> None:
    torch.set_warn_always(True)  # else it comes once in a process, perhaps in an earlier test
    try:
        assert packing.allow_packing(made("bert")) == 0
    finally:
        torch.set_warn_always(False)
    assert [str(w.message) for w in recwarn if "nested tensors" in str(w.message)] == []


@pytest.mark.parametrize("pool", ["mean", "cls", "attention"])
@pytest.mark.parametrize("name", MODELS)
def test_packed_is_padded(name: str, pool: str) -> None:
    net = TextEncoder(made(name), pool, unpadded=True).eval()
    assert net.first_position == (2 if name == "roberta" else 0)
    given = batch(net.backbone.config.pad_token_id)
    packed = net.prepare_inputs(given)
    assert packed["input_ids"].shape == (1, 20)
    answers = [net(**given), net(**packed)]
    torch.testing.assert_close(*answers, rtol=1e-4, atol=1e-5)
    weights = [p for p in net.parameters() if p.requires_grad]
    gradients = [torch.autograd.grad(a.square().sum(), weights, allow_unused=True) for a in answers]
    for one, other in zip(*gradients, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_rows_do_not_see_each_other() -> None:
    net = TextEncoder(made("bert"), "mean", unpadded=True).eval()
    given = batch()
    before = net(**net.prepare_inputs(given))
    given["input_ids"][0, :9] = 5
    after = net(**net.prepare_inputs(given))
    assert not torch.allclose(before[0], after[0]) and torch.equal(before[1:], after[1:])


def test_attention_is_dropped_in_training() -> None:
    net = TextEncoder(made("bert"), "mean", unpadded=True).train()
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5 if module is net.backbone.encoder.layer[0].attention.self.dropout else 0.0
    packed = net.prepare_inputs(batch())
    assert not torch.equal(net(**packed), net(**packed))


def test_rotated_queries_and_keys_are_brought_to_the_values_precision() -> None:
    """As under autocast, where values come from a product and rotations are fp32."""
    query, key, value = torch.randn(3, 1, 2, 5, 8)
    where: Any = {"cu_seq_lens_q": torch.tensor([0, 3, 5]), "max_length_q": 3}
    assert packing.allow_packing(made("bert")) is not None
    attend = ALL_ATTENTION_FUNCTIONS[packing.NAME]
    seen, _ = attend(torch.nn.Module(), query, key, value.bfloat16(), None, **where)
    whole, _ = attend(torch.nn.Module(), query, key, value, None, **where)
    assert seen.dtype == torch.bfloat16
    torch.testing.assert_close(seen.float(), whole, rtol=0.05, atol=0.05)


def test_a_model_that_cannot_stays_padded() -> None:
    deberta = DebertaV2Model(DebertaV2Config(**SMALL, relative_attention=True, pos_att_type=["c2p"]))
    before = deberta.config._attn_implementation
    net = TextEncoder(deberta, "mean", unpadded=True)
    assert net.first_position is None and deberta.config._attn_implementation == before
    given = batch()
    assert net.prepare_inputs(given) is given
    windowed = made("bert")
    windowed.config.sliding_window = 4
    assert packing.allow_packing(windowed) is None


def test_a_model_that_answers_otherwise_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one would that reads positions and then attends to all rows."""
    model = made("bert")
    real = model.embeddings.forward

    def all_rows(*given: Any, **named: Any) -> torch.Tensor:
        states = real(*given, **named)
        return states + states.mean(dim=(0, 1))

    monkeypatch.setattr(model.embeddings, "forward", all_rows)
    assert packing.allow_packing(model) is None and model.config._attn_implementation == "sdpa"


def test_a_member_learns_the_same_packed(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, seen = rows_of(), []
    forward = TextEncoder.forward

    def watched(self: TextEncoder, *args: Any, **inputs: Any) -> torch.Tensor:
        seen.append("offsets" in inputs)
        return forward(self, *args, **inputs)

    monkeypatch.setattr(TextEncoder, "forward", watched)
    # all dropout off: packed and padded batches draw other masks
    config = (bert / "config.json").read_text().replace('_dropout_prob": 0.1', '_dropout_prob": 0.0')
    still = tmp_path / "still"
    still.mkdir()
    for file in bert.iterdir():
        (still / file.name).write_bytes(file.read_bytes())
    (still / "config.json").write_text(config)
    spec = spec_of(still, dropout=0.0)
    plain = spec.learn(rows, rows, tmp_path / "plain").predict(rows)
    assert not any(seen)
    monkeypatch.setattr(backbone, "best_device", lambda: torch.device("cuda"))
    seen.clear()
    fitted = spec.learn(rows, rows, tmp_path / "packed")
    packed = fitted.predict(rows)
    assert all(seen) and np.abs(plain - packed).max() < 1e-4
    fitted.save(tmp_path)
    assert '"kit"' not in (tmp_path / "config.json").read_text()


def test_stages_and_truncations_that_need_rows_side_by_side_stay_padded(
    bert: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, packed = rows_of(), []
    monkeypatch.setattr(backbone, "best_device", lambda: torch.device("cuda"))
    monkeypatch.setattr("kit.models.encoder.pack", lambda *given, **more: packed.append(1) or pack(*given, **more))
    plain = Stage(precision="fp32")
    perturbed, padded = spec_of(bert, plain.override("perturb=FGM")), spec_of(bert, plain, unpadded=False)
    for i, (spec, expected) in enumerate(((perturbed, False), (padded, False), (spec_of(bert, plain), True))):
        packed.clear()
        spec.learn(rows, rows, tmp_path / str(i))
        assert bool(packed) == expected
    windows, again = spec_of(bert, truncation="windows", overlap=1), spec_of(bert, checkpointing=True)
    inputs = batch()
    assert windows.make_body(windows.make_dataset(rows), rows).prepare_inputs(inputs) is inputs
    assert again.make_body(again.make_dataset(rows), rows).first_position is None

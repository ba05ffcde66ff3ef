"""Mixing of rows against naive numpy."""

import copy
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from kit.spec import KitError
from kit.train.mix import CutMix, EmbeddingMixup, Mix, Mixup
from kit.train.objective import Batch

MIXES = [Mixup(alpha=1.0), CutMix(), EmbeddingMixup()]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def pictures(n: int = 6, height: int = 7, width: int = 5) -> Batch:
    """Each picture is filled with its own row number, and so are its labels."""
    rows = torch.arange(n).float()
    return {
        "inputs": {"pixels": rows.view(n, 1, 1, 1).expand(n, 2, height, width).clone()},
        "y": torch.eye(n),
        "id": rows,
    }


def drawn(seed: int, n: int, alpha: float = 1.0) -> tuple[float, Tensor]:
    """What a mix draws, in its order."""
    torch.manual_seed(seed)
    torch.rand(())
    return torch.distributions.Beta(alpha, alpha).sample().item(), torch.randperm(n)


def test_mixup_mixes_inputs_and_labels_alike() -> None:
    data = {
        "inputs": {"numbers": torch.randn(6, 4), "pixels": torch.rand(6, 1, 2, 2)},
        "y": torch.rand(6, 3),
        "weight": torch.rand(6),
    }
    lam, perm = drawn(3, 6)
    torch.manual_seed(3)
    mixed, transform = Mixup(alpha=1.0).batch(data)
    assert transform is None and 0 < lam < 1 and not torch.equal(perm, torch.arange(6))
    for ours, given in (
        (mixed["y"], data["y"]),
        (mixed["weight"], data["weight"]),
        *((mixed["inputs"][k], data["inputs"][k]) for k in data["inputs"]),
    ):
        expected = np.stack([lam * given[i].numpy() + (1 - lam) * given[perm[i]].numpy() for i in range(6)])
        np.testing.assert_allclose(ours, expected, rtol=1e-6)
        assert ours.dtype == torch.float32


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_a_row_s_share_has_the_moments_of_a_symmetric_beta(alpha: float) -> None:
    mix = Mixup(alpha=alpha)
    data = {"inputs": {"x": torch.zeros(2, 1)}, "y": torch.eye(2)}
    shares: list[float] = []
    while len(shares) < 800:
        y = mix.batch(data)[0]["y"]
        if y[0, 1] != 0:  # swapped: row 0 keeps λ of its own label
            shares.append(y[0, 0].item())
    variance = 1 / (4 * (2 * alpha + 1))
    assert np.mean(shares) == pytest.approx(0.5, abs=4 * (variance / 800) ** 0.5)
    assert np.var(shares) == pytest.approx(variance, rel=0.2)


def test_cutmix_s_labels_are_the_areas_also_at_the_border() -> None:
    data, clipped, sizes = pictures(), 0, set()
    for seed in range(80):
        lam, perm = drawn(seed, 6)
        torch.manual_seed(seed)
        mixed, transform = CutMix().batch(data)
        assert transform is None
        for i in range(6):
            picture = mixed["inputs"]["pixels"][i]
            expected = [(picture[0] == j).double().mean().item() for j in range(6)]  # a picture's own labels
            np.testing.assert_allclose(mixed["y"][i], expected, atol=1e-6)
            assert torch.equal(picture[0], picture[1]) and set(picture.unique().tolist()) <= {float(i), float(perm[i])}
        i = int((perm != torch.arange(6)).nonzero()[0])
        foreign = mixed["inputs"]["pixels"][i, 0] == perm[i]
        whole = int(7 * (1 - lam) ** 0.5) * int(5 * (1 - lam) ** 0.5)
        assert foreign.sum() == foreign.any(0).sum() * foreign.any(1).sum() <= whole  # one rectangle
        clipped += int(foreign.sum() < whole)
        sizes.add(int(foreign.sum()))
    assert clipped > 15 and len(sizes) > 10


def test_embedding_mixup_mixes_later_what_it_cannot_mix_now() -> None:
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0]])
    data = {"inputs": {"input_ids": torch.arange(12).view(3, 4), "attention_mask": mask}, "y": torch.rand(3, 2)}
    lam, perm = drawn(3, 3)
    torch.manual_seed(3)
    mixed, transform = EmbeddingMixup().batch(data)
    assert transform is not None and not torch.equal(perm, torch.arange(3))
    states = torch.randn(3, 4, 5, requires_grad=True)
    out = transform(states)
    for i in range(3):
        torch.testing.assert_close(out[i], lam * states[i] + (1 - lam) * states[perm[i]])
        torch.testing.assert_close(mixed["y"][i], lam * data["y"][i] + (1 - lam) * data["y"][perm[i]])
        assert torch.equal(mixed["inputs"]["attention_mask"][i], mask[i] | mask[perm[i]])
    assert torch.equal(mixed["inputs"]["input_ids"], data["inputs"]["input_ids"])
    assert mixed["inputs"]["attention_mask"].dtype == mask.dtype
    out.sum().backward()
    torch.testing.assert_close(states.grad, torch.ones(3, 4, 5))
    table = {"inputs": {"codes": torch.zeros(3, 4).long()}, "y": torch.rand(3, 2)}
    assert EmbeddingMixup().batch(table)[0]["inputs"]["codes"] is table["inputs"]["codes"]


@pytest.mark.parametrize("mix", MIXES, ids=lambda m: type(m).__name__)
def test_a_state_of_torch_s_generator_decides_and_the_batch_given_stays(mix: Mix) -> None:
    data = pictures()
    before = copy.deepcopy(data)
    np.random.seed(0)
    state = torch.get_rng_state()
    first, transform = mix.batch(data)
    np.random.seed(1)
    torch.set_rng_state(state)
    second, again = mix.batch(data)
    third, _ = mix.batch(data)
    assert torch.equal(first["y"], second["y"]) and not torch.equal(first["y"], third["y"])
    assert torch.equal(first["inputs"]["pixels"], second["inputs"]["pixels"])
    if transform is not None and again is not None:
        assert torch.equal(transform(data["y"]), again(data["y"]))
    assert torch.equal(data["y"], before["y"]) and torch.equal(data["inputs"]["pixels"], before["inputs"]["pixels"])
    assert first["id"] is data["id"]


@pytest.mark.parametrize("mix", MIXES, ids=lambda m: type(m).__name__)
def test_class_indices_become_shares(mix: Mix) -> None:
    data = pictures() | {"y": torch.tensor([[0.0], [3.0], [1.0], [1.0], [2.0], [0.0]])}
    mixed = mix.batch(data, classes=4)[0]["y"]
    assert mixed.shape == (6, 4) and mixed.dtype == torch.float32
    torch.testing.assert_close(mixed.sum(1), torch.ones(6))
    shares = data | {"y": torch.eye(4)[data["y"][:, 0].long()]}
    for classes in (4, None):  # shares are mixed as they are
        torch.manual_seed(7)
        expected = mix.batch(data, classes=4)[0]["y"]
        torch.manual_seed(7)
        assert torch.equal(mix.batch(shares, classes=classes)[0]["y"], expected)


def test_mixed_labels_mean_the_mixed_loss() -> None:
    """Cross-entropy is linear in its labels: λ · loss(y) + (1 − λ) · loss(y[perm]), as in the paper."""
    data, logits = {"inputs": {"x": torch.rand(6, 2)}, "y": torch.randint(2, (6, 3)).float()}, torch.randn(6, 3)
    lam, perm = drawn(3, 6)
    torch.manual_seed(3)
    y = Mixup(alpha=1.0).batch(data)[0]["y"]
    loss = partial(F.binary_cross_entropy_with_logits, reduction="none")
    torch.testing.assert_close(
        loss(logits, y), lam * loss(logits, data["y"]) + (1 - lam) * loss(logits, data["y"][perm])
    )


def test_a_share_of_batches_is_mixed() -> None:
    data = pictures()
    mix = EmbeddingMixup(share=0.3)
    untouched = sum(mix.batch(data)[0] is data for _ in range(1000))
    assert abs(untouched / 1000 - 0.7) < 0.06


def test_what_cannot_be_mixed_is_refused() -> None:
    y = torch.eye(2)
    for mix, inputs, sentence in (
        (Mixup(), {"ids": torch.ones(2, 3).long()}, "input 'ids' is torch.int64: use EmbeddingMixup"),
        (CutMix(), {"x": torch.ones(2, 3)}, r"input 'x' is \(2, 3\)"),
        (CutMix(), {"a": torch.ones(2, 1, 4, 4), "b": torch.ones(2, 1, 4, 5)}, "pictures of one size"),
    ):
        with pytest.raises(KitError, match=sentence):
            mix.batch({"inputs": inputs, "y": y})
    for bad in (dict(alpha=0), dict(share=0), dict(share=1.1)):
        with pytest.raises(KitError):
            Mixup(**bad)


@pytest.mark.parametrize("mix", MIXES, ids=lambda m: type(m).__name__)
def test_the_drawn_order_is_moved_once_and_not_waited_for(mix: Mix) -> None:
    class Moves(TorchDispatchMode):
        seen: list[bool] = []

        def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if op is torch.ops.aten._to_copy.default:
                self.seen.append(kwargs.get("non_blocking", False))
            return op(*args, **(kwargs or {}))

    there = {"device": "meta"}
    inputs = {name: torch.zeros(4, 1, 3, 3, **there) for name in ("pixels", "attention_mask")}  # type: ignore[arg-type]
    batch = {"inputs": inputs, "y": torch.zeros(4, 2, **there), "weight": torch.ones(4, **there)}  # type: ignore[arg-type]
    with Moves() as moves:
        mixed, transform = mix.batch(batch)
        assert transform is None or transform(inputs["pixels"]).is_meta
    assert mixed["y"].is_meta and moves.seen == [True]


def test_naming_a_mix_imports_no_torch() -> None:
    code = "import sys; from kit.train.mix import CutMix; CutMix(alpha=0.5).fingerprint(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

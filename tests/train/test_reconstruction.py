"""What autoencoders of tables are made of: swap noise, balanced losses of cells, the divergence of codes, layers alone."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from kit.models.autoencoder import (
    Autoencoder,
    CellInput,
    Shape,
    VariationalAutoencoder,
    kl_to_standard_normal,
    relu_layers,
)
from kit.train import ArrayBatches, LoopStage, train
from kit.train.objectives import LayerReconstruction, Reconstruction, balanced_weights, cell_losses
from kit.train.swap import SwapNoise

SHAPE = Shape(3, (2, 4))


def table(n: int, seed: int = 0) -> torch.Tensor:
    """Two factors say all of five columns; a number is missing here and there."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    numbers = np.column_stack([z[:, 0], z[:, 1], (z[:, 0] + z[:, 1]) / 2**0.5])
    numbers[rng.random((n, 3)) < 0.05] = np.nan
    ids = [z[:, 0] > 0, (z[:, 1] > 0) * 1 + (z[:, 1] > 1) * 1 + (z[:, 1] < -1) * 3]
    return torch.tensor(np.column_stack([numbers, *ids]), dtype=torch.float32)


def test_swap_noise_keeps_the_values_of_each_column_and_swaps_the_stated_share() -> None:
    torch.manual_seed(0)
    cells = torch.stack([torch.arange(1000.0), 5000 + torch.arange(1000.0) % 3, torch.full((1000,), float("nan"))], 1)
    noisy, swapped = SwapNoise(cells, 0.3)(cells)
    assert swapped.float().mean(0).numpy() == pytest.approx(0.3, abs=0.05)
    assert torch.equal(noisy[~swapped].nan_to_num(-1), cells[~swapped].nan_to_num(-1))
    assert (
        noisy[:, 0].max() < 1000 and set(noisy[:, 1].tolist()) == {5000.0, 5001.0, 5002.0} and noisy[:, 2].isnan().all()
    )
    drawn = torch.cat([SwapNoise(cells, 0.9)(cells)[0] for _ in range(20)])
    assert torch.bincount(drawn[:, 1].long() - 5000).numpy() / len(drawn) == pytest.approx(1 / 3, abs=0.02)
    others = noisy[swapped[:, 0], 0] - torch.arange(1000.0)[swapped[:, 0]]
    assert len(set(others.tolist())) > 250  # each cell has a row of its own, not one for all
    assert torch.equal(SwapNoise(cells, 0.0)(cells)[0].nan_to_num(-1), cells.nan_to_num(-1))


def test_losses_of_cells_are_squares_and_cross_entropies_and_missing_numbers_have_none() -> None:
    cells = torch.tensor([[1.0, float("nan"), -1.0, 1.0, 3.0]])
    output = torch.tensor([[0.5, 7.0, -3.0, *np.log([0.2, 0.8]), *np.log([0.1, 0.2, 0.3, 0.4])]])
    losses = cell_losses(output, cells, 3, (2, 4))
    assert losses[0].numpy() == pytest.approx([0.25, 0.0, 4.0, -np.log(0.8), -np.log(0.4)], abs=1e-6)


def test_a_column_weighs_as_much_as_any_other_for_who_knows_means_and_shares() -> None:
    cells = table(4000)
    cells[:, 1] = cells[:, 1] * 30 + 7
    constant = torch.cat([torch.zeros(len(cells), 1), cells], dim=1)
    weights = balanced_weights(constant, 4, SHAPE.sizes)
    assert weights[0] == 0 and len(weights) == 6
    shares = [torch.bincount(cells[:, 3 + j].long(), minlength=s) / len(cells) for j, s in enumerate(SHAPE.sizes)]
    known = torch.cat([torch.zeros(1), cells[:, :3].nanmean(0), *(share.clamp(min=1e-9).log() for share in shares)])
    mean = (cell_losses(known.expand(len(cells), -1), constant, 4, SHAPE.sizes) * weights).mean(0)
    assert mean[1:].numpy() == pytest.approx(0.2, rel=0.06)  # missing numbers lose nothing


def test_the_linear_layer_of_cells_is_that_of_one_hot_columns() -> None:
    torch.manual_seed(0)
    layer, cells = CellInput(SHAPE, 6), table(50)
    hot = [torch.nn.functional.one_hot(cells[:, 3 + j].long(), s).float() for j, s in enumerate(SHAPE.sizes)]
    numbers = torch.cat([cells[:, :3].nan_to_num(0), cells[:, :3].isnan().float()], dim=1)
    assert layer.table is not None
    expected = numbers @ layer.weight + torch.cat(hot, dim=1) @ layer.table.weight + layer.bias
    assert torch.allclose(layer(cells), expected, atol=1e-5)


def autoencoder(alone: bool = False, mask: bool = False) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(SHAPE, relu_layers((32, 24, 16)), [32, 32, 24, 16], mask, alone)


def test_a_table_of_two_factors_is_given_back_and_swapped_cells_are_known() -> None:
    cells = table(600)
    noise, weights, net = SwapNoise(cells, 0.15), balanced_weights(cells, *SHAPE), autoencoder(mask=True)
    goal = Reconstruction(noise, weights, mask=1.0)
    stage = LoopStage(epochs=60, lr=5e-3, weight_decay=0.0, precision="fp32")
    train(net, goal, ArrayBatches({"cells": cells}, torch.zeros(len(cells), 1), 100), stage)
    with torch.no_grad():
        loss = (cell_losses(net(cells).cells, cells, *SHAPE) @ weights).mean()
        noisy, swapped = noise(cells)
        said = net(noisy).mask
    assert loss < 0.35  # 1 is who knows the means alone
    seen = swapped & ((noisy - cells).abs() > 1.5)
    assert (
        said[seen].mean() > said[~swapped].mean() + 0.6
    )  # which of three related numbers is wrong is not always clear


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_layer_learns_alone(layer: int) -> None:
    cells, net = table(200), autoencoder(alone=True)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    goal = LayerReconstruction(layer, SwapNoise(cells, 0.2), balanced_weights(cells, *SHAPE))
    batches, stage = ArrayBatches({"cells": cells}, torch.zeros(len(cells), 1), 50), LoopStage(epochs=3, lr=1e-2)
    train(net, goal, batches, stage)
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    own = (
        {f"layers.{layer}.0.weight", f"layers.{layer}.0.bias"}
        if layer
        else {"input.bias", "input.weight", "input.table.weight"}
    )
    below = "decoders.0.cells" if layer == 0 else f"decoders.{layer}"
    assert changed == own | {f"{below}.weight", f"{below}.bias"}


def test_a_layer_that_learns_alone_gives_back_the_one_below() -> None:
    cells, net = table(400), autoencoder(alone=True)
    goal = LayerReconstruction(1, SwapNoise(cells, 0.1), balanced_weights(cells, *SHAPE))
    batch = {"inputs": {"cells": cells}, "y": torch.zeros(len(cells), 1)}
    before = goal(net, batch).loss.item()
    train(net, goal, ArrayBatches(batch["inputs"], batch["y"], 50), LoopStage(epochs=20, lr=1e-2, weight_decay=0.0))
    assert goal(net, batch).loss.item() < 0.5 * before and goal(net, batch).loss.item() < 0.5 * len(cells)


def test_the_divergence_of_codes_is_the_closed_form() -> None:
    rng = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(7, 3, generator=rng), torch.randn(7, 3, generator=rng)
    known = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(kl_to_standard_normal(mean, log_variance), known, atol=1e-5)
    assert kl_to_standard_normal(torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0


def test_a_variational_autoencoder_draws_codes_in_training_and_beta_shrinks_them() -> None:
    cells = table(400)
    spreads, weights = [], balanced_weights(cells, *SHAPE)
    for beta in (1e-4, 10.0):
        torch.manual_seed(0)
        net = VariationalAutoencoder(SHAPE, (24,), 2)
        goal = Reconstruction(SwapNoise(cells, 0.0), weights, kl=beta)
        stage = LoopStage(epochs=60, lr=1e-2, weight_decay=0.0, precision="fp32")
        train(net, goal, ArrayBatches({"cells": cells}, torch.zeros(len(cells), 1), 100), stage)
        with torch.no_grad():
            spreads.append(net.encode(cells)[0].std(0).max().item())
            loss = (cell_losses(net(cells).cells, cells, *SHAPE) @ weights).mean().item()
        assert (loss < 0.5) == (beta < 1)
        assert torch.equal(net(cells).cells, net(cells).cells) and not torch.equal(
            net.train()(cells).cells, net(cells).cells
        )
    assert spreads[0] > 0.5 and spreads[1] < 0.1

"""Linear layers with weights laid out once a prediction: same numbers, nothing left behind."""

import pytest
import torch
from torch import nn

from kit.train.cpu_linear import PackedLinear, packed_linear_layers


@pytest.fixture
def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(24, 48), nn.GELU(), nn.LayerNorm(48), nn.Linear(48, 5, bias=False)).eval()


def packs(net: nn.Module) -> int:
    with packed_linear_layers(net):
        return sum(isinstance(getattr(m, "forward", None), PackedLinear) for m in net.modules())


@pytest.fixture
def able(net: nn.Sequential) -> None:
    if not packs(net):
        pytest.skip("this CPU or build of torch has no bf16 products of its own")


@pytest.mark.parametrize("shape", [(1, 24), (7, 24), (3, 11, 24), (0, 24), (24,)])
@torch.inference_mode()
def test_same_numbers_under_autocast(net: nn.Sequential, shape: tuple[int, ...], able: None) -> None:
    x = torch.randn(shape)
    with torch.autocast("cpu", torch.bfloat16):
        plain = net(x)
        with packed_linear_layers(net):
            torch.testing.assert_close(net(x), plain, rtol=0, atol=0)
    assert plain.dtype == torch.bfloat16


@torch.inference_mode()
def test_without_autocast_products_stay_fp32(net: nn.Sequential) -> None:
    x = torch.randn(6, 24)
    with packed_linear_layers(net):
        torch.testing.assert_close(net(x), net(x.clone()), rtol=0, atol=0)
        assert net(x).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16), packed_linear_layers(net), torch.autocast("cpu", enabled=False):
        assert net(x).dtype == torch.float32


@torch.inference_mode()
def test_weights_that_changed_since_are_laid_out_again(net: nn.Sequential) -> None:
    x = torch.randn(6, 24)
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.raises(RuntimeError, match="stopped"), packed_linear_layers(net):
            net(x)
            raise RuntimeError("stopped")
        assert all("forward" not in vars(m) for m in net.modules())
        net[0].weight.mul_(2)
    with torch.autocast("cpu", torch.bfloat16):
        plain = net(x)
        with packed_linear_layers(net):
            torch.testing.assert_close(net(x), plain, rtol=0, atol=0)


def test_changed_layers_are_left_alone(net: nn.Sequential, able: None) -> None:
    assert packs(net) == 2
    nn.utils.parametrizations.spectral_norm(net[0])
    assert packs(net) == 1
    net[3].forward = torch.relu
    assert packs(net) == 0


@torch.inference_mode()
def test_hooks_still_fire(net: nn.Sequential) -> None:
    seen: list[torch.Tensor] = []
    net[0].register_forward_hook(lambda layer, given, answer: seen.append(answer))
    with torch.autocast("cpu", torch.bfloat16), packed_linear_layers(net):
        net(torch.randn(2, 24))
    assert len(seen) == 1

"""Batch norms folded into convolutions: the same outputs, without norms; what cannot be folded stays as it is."""

import pytest
import timm
import torch
from torch import Tensor, nn

from kit.models.timm_encoder import TimmEncoder
from kit.train.folded_norms import with_folded_norms


def with_statistics(net: nn.Module) -> nn.Module:
    """In evaluation mode, with norms that are not those of a fresh network."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_var, module.weight):
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.running_mean, module.bias):
                nn.init.normal_(tensor, std=0.3)
    return net.eval()


def norms(net: nn.Module) -> int:
    return sum(hasattr(module, "running_var") for module in net.modules())


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_byobnet", "test_mambaout"])
def test_networks_of_timm_give_the_same(name: str) -> None:
    net = with_statistics(TimmEncoder(timm.create_model(name, num_classes=0)))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    pixels = torch.randint(256, (5, 3, 64, 64), dtype=torch.uint8)
    folded = with_folded_norms(net, {"pixels": pixels[:2]})
    with torch.no_grad():
        torch.testing.assert_close(folded(pixels), net(pixels), rtol=1e-3, atol=1e-4)
    assert norms(folded) == 0 and (norms(net) > 0 or folded is net)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


class Own(nn.Module):
    """One norm reads a convolution that something else reads too; another is called twice."""

    def __init__(self, shared: bool) -> None:
        super().__init__()
        self.shared, self.conv, self.norm = shared, nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        made = self.conv(x)
        return self.norm(made) + (made if self.shared else self.norm(made.relu()))


@pytest.mark.parametrize("shared", [True, False])
def test_what_would_change_the_result_is_not_folded(shared: bool) -> None:
    net = with_statistics(Own(shared))
    assert with_folded_norms(net, {"x": torch.randn(2, 3, 8, 8)}) is net


def test_a_network_in_training_keeps_its_norms() -> None:
    net = TimmEncoder(timm.create_model("test_resnet", num_classes=0)).train()
    assert with_folded_norms(net, {"pixels": torch.zeros(2, 3, 32, 32)}) is net

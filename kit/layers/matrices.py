"""The matrices of a network, wherever they lie: what changes or holds back weights reaches all of them.

`nn.Linear` is not the only layer that has one: convolutions, recurrent layers, transformers' `Conv1D` and layers of
one's own have them too, under other names than `weight`.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn.utils import parametrize


class WeightMatrix(NamedTuple):
    """A parameter with two or more dimensions: `layer.<name>`, at `path` in the network."""

    path: str
    layer: nn.Module
    name: str

    @property
    def value(self) -> Tensor:
        """As the layer computes with it."""
        return getattr(self.layer, self.name)


def matrices(model: nn.Module) -> Iterator[WeightMatrix]:
    """Every matrix of a network, parametrised ones too.

    Tables of embeddings are left out: their rows are vectors, each looked up by itself. So are parameters that hold one
    vector in the shape of a matrix, such as a token of classes (1, 1, width).
    """
    for path, layer in model.named_modules():
        if isinstance(layer, (nn.Embedding, nn.EmbeddingBag, parametrize.ParametrizationList)):
            continue
        held = dict(layer.named_parameters(recurse=False))
        if parametrize.is_parametrized(layer):
            held |= {name: getattr(layer, name) for name in layer.get_submodule("parametrizations")._modules}
        for name, value in held.items():
            if sum(size > 1 for size in value.shape) > 1:
                yield WeightMatrix(path, layer, name)


def parametrized(matrix: WeightMatrix, change: nn.Module) -> None:
    """Lets the layer compute with `change(weight)` in place of a weight, see `torch.nn.utils.parametrize`.

    `unparametrize` ends it. torch's recurrent layers keep a list of the weights that they last computed with, results
    of the parametrizations, which cannot be copied with the layer: here that list is reset after each pass.
    """
    layer = matrix.layer
    parametrize.register_parametrization(layer, matrix.name, change)
    if isinstance(layer, nn.RNNBase):
        if _reset_weights not in layer._forward_hooks.values():
            layer.register_forward_hook(_reset_weights)
        _reset_weights(layer)


def unparametrize(model: nn.Module) -> nn.Module:
    """Ends every parametrization: plain parameters under their old names, with the values that they had in eval mode.

    Parameters stay the same objects, so an optimizer still knows them. Gives the model back.
    """
    for layer in [m for m in model.modules() if parametrize.is_parametrized(m)]:
        for name, parametrization in list(layer.get_submodule("parametrizations").named_children()):
            parametrization.eval()
            parametrize.remove_parametrizations(layer, name)
        if isinstance(layer, nn.RNNBase):
            for key in [key for key, hook in layer._forward_hooks.items() if hook is _reset_weights]:
                del layer._forward_hooks[key]
            layer._flat_weights = [getattr(layer, name) for name in layer._flat_weights_names]
            layer.flatten_parameters()
    return model


def _reset_weights(layer: Any, *given: Any) -> None:
    """Puts the parameters themselves into the list; torch sees before the next pass that the weights are others."""
    plain = {name: changed.original for name, changed in layer.parametrizations.items()}
    layer._flat_weights = [plain[n] if n in plain else getattr(layer, n) for n in layer._flat_weights_names]

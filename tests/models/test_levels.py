"""Which layers count as low: what a text goes through first never counts as higher than what it goes through later."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.bodies import BODIES, network

TIED = {"body.net.edges"}  # parameters of a whole network, not of a layer that is called


@pytest.mark.parametrize(
    "body", sorted(BODIES.keys() - {"AWDLSTM"})
)  # whose layers are not called but read on from a state
def test_a_layer_that_is_passed_first_is_never_above_one_that_is_passed_later(body: str) -> None:
    net, batch = network(body)
    passed: list[str] = []
    handles = []

    def noting(name: str) -> Callable[..., None]:
        return lambda *_: passed.append(name) if name not in passed else None

    for name, module in net.named_modules():
        handles.append(module.register_forward_pre_hook(noting(name)))
    net(**batch["inputs"])
    places = {name: i for i, name in enumerate(passed)}
    order: dict[Any, list[tuple[int, int, str]]] = {}
    for name, _ in net.named_parameters():
        layer, owner = net.layer_of(name), name.rpartition(".")[0]
        while owner not in places:  # a layer whose weights the one around it takes
            owner = owner.rpartition(".")[0]
        if layer is not None and name not in TIED and ".pooler." not in name:
            order.setdefault(net.part_of(name), []).append((places[owner], layer, name))
    for part in order.values():
        part.sort()
        layers = [layer for _, layer, _ in part]
        assert layers == sorted(layers, reverse=True), part
        assert layers[-1] == 0 and set(layers) == set(range(max(layers) + 1))  # none is left out


EXPECTED = {
    "DPCNN": {
        "embedding.tables.0": 4,
        "net.region": 3,
        "net.blocks.0.convolutions.1": 2,
        "net.blocks.2.convolutions.0": 0,
    },
    "Transformer": {
        "embedding.tables.1": 3,
        "net.into": 2,
        "net.layers.0.norm": 1,
        "net.layers.1.norm": 0,
        "net.norm": 0,
    },
    "TransformerLearnt": {"net.into": 2, "net.places": 2, "net.layers.0.attention.into": 1},
    "HAN": {"embedding.tables.0": 2, "net.words.gru": 1, "net.words.pool.hidden": 1, "net.sentences.pool.context": 0},
    "HCN": {"net.words.convolutions.0": 1, "net.sentences.convolutions.0": 0},
    "RCNN": {"embedding.tables.0": 2, "net.left": 1, "net.right": 1, "net.edges": 1, "net.projection": 0},
    "TextCNN": {"embedding.tables.0": 1, "net.convolutions.0": 0, "net.convolutions.1": 0},
    "LSTM": {"embedding.tables.0": 2, "net.layers.0.ahead": 1, "net.layers.0.back": 1, "net.layers.1.back": 0},
    "AWDLSTM": {"embedding.tables.0": 3, "net.layers.0.lstm": 2, "net.layers.2.lstm": 0},
}


@pytest.mark.parametrize("body", EXPECTED)
def test_layers_by_name(body: str) -> None:
    made = network(body)[0].body
    names = [name for name, _ in made.named_parameters()]
    for prefix, layer in EXPECTED[body].items():
        found = {made.layer_of(name) for name in names if name == prefix or name.startswith(prefix + ".")}
        assert found == {layer}, prefix

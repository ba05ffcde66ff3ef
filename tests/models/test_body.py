"""Every body answers what a network member asks of it."""

from collections.abc import Callable

import pytest
import timm
import torch
from torch import nn
from transformers import BertConfig, BertModel

from kit.models import ConcatModule, Headed, PerceptronModule, PiecewiseEncoder, TextEncoder, TextNetModule, TimmEncoder
from kit.models.body import Body
from kit.models.columns import ColumnVector
from kit.models.tabular import TabularModule
from kit.models.textcnn import TextCNNModule
from kit.models.textnet import SequenceEmbedding


def encoder() -> TextEncoder:
    config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=8)
    return TextEncoder(BertModel(config, add_pooling_layer=False))


def textnet() -> TextNetModule:
    return TextNetModule(SequenceEmbedding({"words": torch.randn(9, 4)}), TextCNNModule(4, 2, (1, 2)))


def table() -> TabularModule:
    return TabularModule(columns := ColumnVector(3, [2]), PerceptronModule(columns.width, [6]))


def pictures() -> TimmEncoder:
    return TimmEncoder(timm.create_model("test_resnet", num_classes=0), pool="gem")


TOKENS = {"input_ids": torch.ones(2, 4, dtype=torch.int64), "attention_mask": torch.ones(2, 4, dtype=torch.int64)}
PIECES = {name: value[:, None] for name, value in TOKENS.items()}
WORDS = {"words": TOKENS["input_ids"], "attention_mask": TOKENS["attention_mask"]}
COLUMNS = {"numbers": torch.randn(2, 3), "categories": torch.zeros(2, 1, dtype=torch.int64)}
JOINED = {f"part{i}_{name}": v for i, part in enumerate((WORDS, COLUMNS)) for name, v in part.items()}
BODIES: dict[str, tuple[Callable[[], nn.Module], dict[str, torch.Tensor]]] = {
    "TextEncoder": (encoder, TOKENS),
    "PiecewiseEncoder": (lambda: PiecewiseEncoder(encoder(), "gru"), PIECES),
    "TextNetModule": (textnet, WORDS),
    "TimmEncoder": (pictures, {"pixels": torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)}),
    "TabularModule": (table, COLUMNS),
    "ConcatModule": (lambda: ConcatModule([textnet(), table()], (1, 0.5)), JOINED),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_answers_everything(name: str) -> None:
    make, inputs = BODIES[name]
    body = make().eval()
    if name != "ConcatModule":  # it has embeddings in each part, and says so
        assert isinstance(body, Body) and isinstance(body.embeddings, nn.Module)
    words: Body = body  # type: ignore[assignment]
    assert words(**words.prepare_inputs(inputs)).shape == (2, words.num_features)
    assert all(isinstance(module, nn.Module) for module in words.pretrained) and words.features_are_fixed in (
        True,
        False,
    )
    for parameter, _ in body.named_parameters():
        layer = words.layer_of(parameter)
        assert (layer is None or layer >= 0) and words.lr_scale(parameter) >= 0
        assert all(isinstance(number, int) for number in words.part_of(parameter))
    assert Headed(words, 2)(**inputs).shape == (2, 2)


def test_every_body_is_tested() -> None:
    import kit.models

    words = ("num_features", "layer_of", "lr_scale", "prepare_inputs")
    classes = {name: getattr(kit.models, name) for name in kit.models.__all__}
    bodies = {name for name, cls in classes.items() if all(hasattr(cls, word) for word in words[1:])} - {"Headed"}
    assert bodies == set(BODIES)


def test_a_module_without_the_words_is_no_body() -> None:
    assert not isinstance(nn.Linear(2, 2), Body) and not isinstance(TextCNNModule(4), Body)


def test_layers_are_counted_from_the_top() -> None:
    body = encoder()
    layers = [body.layer_of(f"backbone.encoder.layer.{i}.output.dense.weight") for i in range(3)]
    assert layers == [2, 1, 0] and body.layer_of("backbone.embeddings.word_embeddings.weight") == 3
    joined = ConcatModule([textnet(), table()], (1, 0.5))
    assert (
        joined.part_of("parts.1.net.layers.0.weight") == (1,) and joined.lr_scale("parts.1.net.layers.0.weight") == 0.5
    )
    net = Headed(joined, 3, link="softmax")
    assert net.layer_of("head.weight") is None and net.lr_scale("head.weight") == 1 and net.part_of("head.weight") == ()
    assert net.num_classes == 3 and Headed(textnet(), 3).num_classes is None

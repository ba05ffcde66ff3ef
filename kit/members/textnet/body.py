"""The body of a TextNet, and its weights from a language model of all texts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from kit.core.errors import KitError
from kit.core.files import read_json
from kit.members.textnet.dataset import SequenceDataset, id_table, ids_of
from kit.members.textnet.nets import Net
from kit.models.textnet import SequenceEmbedding, TextNetModule
from kit.pretrain.language import LanguageModelling
from kit.source import Arrays, Source
from kit.text.sequences import FIRST
from kit.train.device import best_device


def body_of(
    net: Net, dataset: SequenceDataset, side_width: int, word_dropout: float, vector_dropout: float, blank: bool = False
) -> TextNetModule:
    """Embeddings of the dataset's sequences, and the network on them.

    Args:
        net: settings of the network.
        dataset: its vocabulary is embedded; the first sequence begins with its pretrained vectors, where there are any.
        side_width: of the vectors of the other sequences.
        word_dropout: share of positions dropped whole.
        vector_dropout: share of the vectors' numbers dropped.
        blank: vectors begin at zero, as weights from a file take their place.
    """
    widths = [dataset.width, *[side_width] * (len(dataset.vocabulary) - 1)]
    shapes = {
        name: (len(known) + FIRST, width)
        for (name, known), width in zip(dataset.vocabulary.items(), widths, strict=True)
    }
    tables = {name: torch.zeros(*shape) if blank else 0.1 * torch.randn(*shape) for name, shape in shapes.items()}
    if dataset.vectors is not None and not blank:
        tables[next(iter(tables))] = torch.tensor(dataset.vectors)
    embedding = SequenceEmbedding(tables)
    return TextNetModule(embedding, net.build(embedding.embedding_dim), word_dropout, vector_dropout)


def load_language_model(body: TextNetModule, weights: Arrays) -> None:
    """Puts the weights of a language model into the body, whose embedding and network are then pretrained."""
    found = {name: torch.tensor(value) for name, value in weights.items()}
    body.load_state_dict(found, strict=False)  # the language model has no pooling
    body.pretrained = [body.embedding, body.net]


def learn_language_model(
    make: Callable[[], TextNetModule],
    pretrain: LanguageModelling,
    dataset: SequenceDataset,
    source: Source,
    seed: int,
    work: Path | None,
    carries: bool,
) -> Arrays:
    """Weights of a body, by name, after its language model has learnt from all texts of a source.

    Args:
        make: the body before its first step.
        pretrain: how it learns.
        dataset: reads the texts.
        source: its own rows are learnt from, not its views of them.
        seed: of the body's weights and of the training.
        work: folder that a killed run goes on from.
        carries: whether its network carries a state from one window to the next.
    """
    found, name = dataset.originals(source), next(iter(dataset.vocabulary))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        body = make()
    if pretrain.weights:
        _begin_with(body, dataset.vocabulary[name], Path(pretrain.weights))
    ids = id_table(found.units[name], ids_of(dataset.vocabulary[name]))[found.ids[name]]
    windows = pretrain.blocks(ids, np.asarray(found.start), dataset.backwards, carries)
    body.to(best_device())
    nats = pretrain.learn(body.embedding.first, body.net, windows, seed, work)
    print(f"language model of {len(ids):,} {name}, which it learnt from: perplexity {np.exp(nats):.1f}")
    return {name: value.cpu().numpy() for name, value in body.state_dict().items() if ".pool." not in name}


def _begin_with(body: TextNetModule, units: list[str], folder: Path) -> None:
    """Puts the weights of a TextNet's model folder into a body; vectors of the same units are copied."""
    if not (folder / "units.json").is_file():
        raise KitError(f"LanguageModelling.weights: '{folder}' is no model folder of a TextNet: units.json is missing")
    saved, given = read_json(folder / "units.json"), load_file(folder / "model.safetensors")
    own = body.state_dict()
    begun = {name.removeprefix("body."): value for name, value in given.items() if name.startswith("body.")}
    table = begun.pop("embedding.tables.0.weight")
    at = id_table(units, ids_of(saved["units"][0]))
    begun = {name: value for name, value in begun.items() if name in own and own[name].shape == value.shape}
    missing = [name for name in own if name.startswith("net.") and ".pool." not in name and name not in begun]
    if missing or table.shape[1] != own["embedding.tables.0.weight"].shape[1]:
        raise KitError(f"LanguageModelling.weights: '{folder}' holds another network, or vectors of another width")
    body.load_state_dict(begun | {"embedding.tables.0.weight": table[torch.from_numpy(at)]}, strict=False)

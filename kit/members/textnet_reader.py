"""What reads rows for a TextNet: segmenter, vocabulary, and vectors to begin with."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from kit.data import Arrays, Rows, Source
from kit.files import read_json, remove, write_json
from kit.members.reading import Reader
from kit.members.textnet import TextNet
from kit.models import textnet
from kit.pretrain.language import Windows
from kit.spec import KitError, digest
from kit.text.padded import FlatInputs, SentenceInputs
from kit.text.sequences import FIRST, UNKNOWN, VERSION, Sequences, sequences
from kit.train.device import best_device
from kit.train.lengths import Inputs


class SequenceReader(Reader):
    """Rows as ids of their words or characters.

    Args:
        spec: what is read, and how.
        columns: names of the text columns.
        units: sequence → the units known, by their id from `FIRST`.

    Attributes:
        values: vectors to begin with (units + FIRST, width) of the first sequence; None: random ones.
        weights: of the body, from a language model, by name; None: fresh ones.
    """

    def __init__(self, spec: TextNet, columns: tuple[str, ...], units: dict[str, list[str]]) -> None:
        self.spec, self.columns, self.units = spec, columns, units
        self.values: np.ndarray | None = None
        self.weights: Arrays | None = None
        self.width = spec.width  # of the first sequence's vectors

    @classmethod
    def learnt(cls, spec: TextNet, rows: Rows) -> Self:
        """The vocabulary, and its vectors, of every row known; of each once, whatever views of it there are."""
        found = _first(_sequences(spec, rows.source, rows.task.text), rows.source.originals)
        units: dict[str, list[str]] = {name: _vocabulary(spec, found, name) for name in spec.use}
        made = cls(spec, rows.task.text, units)
        settings, cut = spec.identity(), [VERSION, spec.segmenter.key()]
        facts = [rows.task.text, units, cut, *(settings[k] for k in ("segmenter", "simplify", "use", "vectors"))]
        if spec.vectors is not None:
            name = "vectors-" + digest(facts)[:16]
            known = units[spec.use[0]]
            made.values = rows.source.once(name, lambda _: {"values": _vectors(spec, found, known)})["values"]
            made.width = made.values.shape[1]
        if spec.pretrain is not None:
            name = (
                "language-"
                + digest([*facts, *(settings[k] for k in ("net", "pretrain", "backwards", "width", "seed"))])[:16]
            )
            work = rows.source.folder and rows.source.folder / rows.source.digest[:16] / f"{name}.work"
            made.weights = rows.source.once(name, lambda _: language_weights(made, found, work))
            if work:
                remove(work)
        return made

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"values": None, "weights": None}  # whoever reads rows elsewhere builds no body

    @classmethod
    def saved(cls, spec: TextNet, folder: Path) -> Self:
        """The reader that `save` wrote."""
        facts = read_json(folder / "units.json")
        made = cls(spec, tuple(facts["columns"]), dict(zip(spec.use, facts["units"], strict=True)))
        made.width = facts["width"]
        return made

    def save(self, folder: Path, body: nn.Module) -> None:
        units = [self.units[name] for name in self.spec.use]
        write_json(folder / "units.json", {"columns": self.columns, "units": units, "width": self.width})

    def inputs(self, rows: Rows) -> Inputs:
        spec = self.spec
        found = _sequences(spec, rows.source, self.columns)
        tables = {name: _table(found.units[name], known) for name, known in self.units.items()}
        if spec.net.hierarchical:
            return SentenceInputs(found, tables, spec.sentences, spec.sentence, spec.keep == "head_tail")
        return FlatInputs(found, tables, spec.length, spec.keep == "head_tail", spec.backwards)

    def body(self) -> textnet.TextNet:
        first = self.spec.use[0]
        tables = {name: 0.1 * torch.randn(*shape) for name, shape in self._shapes().items()}
        if self.values is not None:
            tables[first] = torch.tensor(self.values)
        body = self._around(tables)
        if self.weights is not None:
            found = {name: torch.tensor(value) for name, value in self.weights.items()}
            body.load_state_dict(found, strict=False)  # the language model has no pooling
            body.pretrained = [body.embedding, body.net]
        return body

    def blank(self) -> textnet.TextNet:
        return self._around({name: torch.zeros(*shape) for name, shape in self._shapes().items()})

    def _shapes(self) -> dict[str, tuple[int, int]]:
        widths = [self.width, *[self.spec.side_width] * (len(self.units) - 1)]
        return {
            name: (len(known) + FIRST, width) for (name, known), width in zip(self.units.items(), widths, strict=True)
        }

    def _around(self, tables: dict[str, torch.Tensor]) -> textnet.TextNet:
        spec, embedding = self.spec, textnet.SequenceEmbedding(tables)
        return textnet.TextNet(embedding, spec.net.build(embedding.width), spec.word_dropout, spec.vector_dropout)


def language_weights(reader: SequenceReader, found: Sequences, work: Path | None) -> Arrays:
    """Weights of the body after its language model has learnt from all texts."""
    spec = reader.spec
    assert spec.pretrain is not None
    name = spec.use[0]
    with torch.random.fork_rng():
        torch.manual_seed(spec.seed)
        body = reader.body()
    if spec.pretrain.weights:
        _begin_with(body, reader, Path(spec.pretrain.weights))
    ids = _table(found.units[name], reader.units[name])[found.ids[name]]
    windows = Windows(ids, np.asarray(found.start), spec.pretrain.window, spec.backwards)
    body.to(best_device())
    nats = spec.pretrain.learn(body.embedding.first, body.net, windows, spec.seed, work)
    print(f"language model of {len(ids):,} {name}, which it learnt from: perplexity {np.exp(nats):.1f}")
    return {name: value.cpu().numpy() for name, value in body.state_dict().items() if ".pool." not in name}


def _begin_with(body: textnet.TextNet, reader: SequenceReader, folder: Path) -> None:
    """Puts the weights of a TextNet's model folder into a body; vectors go where the same unit stands."""
    if not (folder / "units.json").is_file():
        raise KitError(f"LanguageModelling.weights: '{folder}' is no model folder of a TextNet: units.json is missing")
    facts, given = read_json(folder / "units.json"), load_file(folder / "model.safetensors")
    own = body.state_dict()
    begun = {name.removeprefix("body."): value for name, value in given.items() if name.startswith("body.")}
    table = begun.pop("embedding.tables.0.weight")
    at = _table(reader.units[reader.spec.use[0]], facts["units"][0])
    begun = {name: value for name, value in begun.items() if name in own and own[name].shape == value.shape}
    missing = [name for name in own if name.startswith("net.") and ".pool." not in name and name not in begun]
    if missing or table.shape[1] != own["embedding.tables.0.weight"].shape[1]:
        raise KitError(f"LanguageModelling.weights: '{folder}' holds another network, or vectors of another width")
    body.load_state_dict(begun | {"embedding.tables.0.weight": table[torch.from_numpy(at)]}, strict=False)


def _sequences(spec: TextNet, source: Source, columns: tuple[str, ...]) -> Sequences:
    return sequences(
        source, columns, spec.segmenter, "words" if spec.use[0] == "words" else "characters", spec.simplify
    )


def _vocabulary(spec: TextNet, found: Sequences, name: str) -> list[str]:
    """The most frequent units; all of a side sequence, which has few."""
    units, first = found.units[name], name == spec.use[0]
    count = np.bincount(found.ids[name], minlength=len(units) + FIRST)[FIRST:].tolist()
    often = [i for i, times in enumerate(count) if times >= (spec.min_count if first else 1)]
    often.sort(key=lambda i: (-count[i], units[i]))  # their own order counts the views of rows, too
    return [units[i] for i in (often[: spec.units] if first else often)]


def _first(found: Sequences, n: int) -> Sequences:
    """The sequences of the first n rows."""
    end = found.start[n]
    ids = {name: flat[:end] for name, flat in found.ids.items()}
    return replace(found, ids=ids, start=found.start[: n + 1], sentence=found.sentence[:end])


def _table(units: list[str], known: list[str]) -> np.ndarray:
    """(units + FIRST,) this vocabulary's id of each of a source's units, 1 for those it does not know."""
    ids = {unit: i for i, unit in enumerate(known, FIRST)}
    return np.array([0, UNKNOWN, *(ids.get(unit, UNKNOWN) for unit in units)])


def _vectors(spec: TextNet, found: Sequences, known: list[str]) -> np.ndarray:
    """Vectors of padding, of what is unknown (the mean of all) and of the units known."""
    assert spec.vectors is not None
    name = spec.use[0]
    ids, units = np.asarray(found.ids[name]), np.array(["", "", *found.units[name]], dtype=object)
    ends = np.flatnonzero(np.diff(found.sentence, append=-1) | _lasts(found))

    def texts() -> Iterator[list[str]]:
        begin = 0
        for end in (ends + 1).tolist():
            yield [unit for unit in units[ids[begin:end]] if unit]
            begin = end

    table = spec.vectors.table(known, texts)
    counts = np.bincount(ids, minlength=len(known) + FIRST)[FIRST : len(known) + FIRST]
    coverage = table.covered(counts)
    coverage = coverage._replace(text=coverage.text * float(counts.sum()) / len(ids))  # rare units are text, too
    print(f"{type(spec.vectors).__name__}: vectors of {coverage}")
    nothing = np.zeros_like(table.values[:1])
    return np.concatenate([nothing, table.values.mean(0, keepdims=True), table.values])


def _lasts(found: Sequences) -> np.ndarray:
    """Whether a unit is the last of its row."""
    last = np.zeros(len(found.sentence), dtype=bool)
    last[found.start[1:] - 1] = True
    return last

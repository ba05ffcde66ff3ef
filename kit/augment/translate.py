"""Back-translation: into another language and back, by two local models."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from kit.augment.base import Together
from kit.augment.models import load
from kit.augment.pieces import sentences
from kit.files import checksum
from kit.lazy import later
from kit.spec import digest
from kit.weights import find_weights, local_sums

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = later("torch")

FILES = ("*.json", "*.txt", "*.model", "*.spm", "*.safetensors", "*.bin")  # what a translation depends on


class BackTranslation(Together):
    """Sentences are translated into another language and back (Sennrich et al. 2016; Edunov et al. 2018).

    Changes words and their order and keeps, as far as the models do, the sense; the tone less so. Translated sentence
    by sentence, so that long texts stay whole; what stands between sentences stays.

    With `variants` = 1 it is the likeliest translation, by beam search. With more, a sentence has that many
    translations, drawn from the models, of which the generator of its text chooses one; more than one epoch then costs
    no more than `variants` translations. All are kept in a file, under the sentence and the digests of both models.
    """

    immaterial = ("cache", "batch", "device")

    there: str = Field(description="folder or name of the model into the other language")
    back: str = Field(description="folder or name of the model that translates back")
    prefixes: tuple[str, str] = Field(("", ""), description="what models want before a text, such as T5's task")
    beams: int = Field(4, ge=1, description="beams of the search for the likeliest translation")
    variants: int = Field(1, ge=1, description="translations of a sentence; more than one are sampled")
    temperature: float = Field(0.9, gt=0, description="of the sampling: the higher, the freer")
    length: int = Field(256, ge=4, description="most tokens of a sentence and of its translation; the rest is lost")
    cache: str | None = Field(
        None, description="file that keeps translations; none: translations.sqlite in $KIT_CACHE or data/cache"
    )
    batch: int = Field(16, ge=1, description="sentences translated at a time")
    device: str = Field("cpu", description="where the models run, such as cuda")

    def reads(self) -> dict[str, str]:
        return local_sums(there=self.there, back=self.back)

    def many(self, texts: Sequence[str], rngs: Sequence[np.random.Generator]) -> list[str]:
        how = self.beams if self.variants == 1 else self.temperature
        read = self.reads()
        both = [_identity(name, read.get(way)) for way, name in (("there", self.there), ("back", self.back))]
        same = [*both, self.prefixes, self.length, how]
        cut = [sentences(text) for text in texts]
        variants = [int(rng.random() * self.variants) for rng in rngs]
        keys = {
            (sentence, variant): digest([sentence, variant if self.variants > 1 else None, *same])
            for pieces, variant in zip(cut, variants, strict=True)
            for sentence in pieces[1::2]
        }
        known = self._translated({key: sentence for (sentence, _), key in keys.items()})
        for pieces, variant in zip(cut, variants, strict=True):
            pieces[1::2] = [known[keys[sentence, variant]] for sentence in pieces[1::2]]
        return ["".join(pieces) for pieces in cut]

    def _translated(self, wanted: dict[str, str]) -> dict[str, str]:
        """Key → translation, from the cache as far as it goes."""
        cache = Path(self.cache or Path(os.environ.get("KIT_CACHE", "data/cache"), "translations.sqlite")).expanduser()
        known = _recall(cache, list(wanted))
        read = self.reads()
        # sentences of like length together, and the same ones whoever asks
        missing = sorted(wanted.keys() - known, key=lambda key: (len(wanted[key]), key))
        for start in range(0, len(missing), self.batch):
            part = missing[start : start + self.batch]
            made = [wanted[key] for key in part]
            for way, (name, prefix) in enumerate(zip((self.there, self.back), self.prefixes, strict=True)):
                model = _loaded(name, self.device, read.get(("there", "back")[way]))
                noise = [digest([way, key]) for key in part]
                made = self._by(model, [prefix + sentence for sentence in made], noise)
            fresh = {key: text.strip() or wanted[key] for key, text in zip(part, made, strict=True)}
            _keep(cache, fresh)
            known |= fresh
        return known

    def _by(self, model: "Translator", sentences: list[str], noise: list[str]) -> list[str]:
        if self.variants == 1:
            return model.translate(sentences, self.length, num_beams=self.beams)
        sampling = GumbelMax(noise, self.temperature)
        return model.translate(sentences, self.length, num_beams=1, logits_processor=[sampling])


class GumbelMax:
    """Sampling as greedy search: to each score noise is added whose largest sum is a draw of the softmax (Gumbel 1954).

    Each row has noise of its own, from its key, so that its translation doesn't depend on its neighbours in the batch.
    """

    def __init__(self, keys: list[str], temperature: float) -> None:
        self.rngs = [np.random.default_rng(int(key[:16], 16)) for key in keys]
        self.temperature = temperature

    def __call__(self, ids: "Tensor", scores: "Tensor") -> "Tensor":
        noise = np.stack([rng.gumbel(size=scores.shape[1]) for rng in self.rngs])
        return scores / self.temperature + torch.from_numpy(noise).to(scores)


class Translator:
    """A sequence-to-sequence model and its tokenizer."""

    def __init__(self, folder: Path, device: str) -> None:
        self.tokenizer, self.model = load(folder, "AutoModelForSeq2SeqLM", device)

    def translate(self, sentences: list[str], length: int, **how: Any) -> list[str]:
        """A translation of each, the first `length` tokens of it; `how` is for transformers' `generate`."""
        batch = self.tokenizer(sentences, return_tensors="pt", padding=True, truncation=True, max_length=length)
        inputs = {name: batch[name].to(self.model.device) for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            made = self.model.generate(**inputs, do_sample=False, max_length=None, max_new_tokens=length, **how)
        return self.tokenizer.batch_decode(made, skip_special_tokens=True)


@lru_cache(maxsize=4)
def _loaded(name: str, device: str, contents: str | None) -> Translator:
    return Translator(find_weights(name), device)


@lru_cache(maxsize=8)
def _identity(name: str, contents: str | None) -> str:
    """Digest of the files in a model's folder."""
    folder = find_weights(name)
    return digest([[path.name, checksum(path)] for path in sorted({p for f in FILES for p in folder.glob(f)})])


# ---- cache: one table, key → translation; SQLite sees to crashes and to several readers and writers ----------------


@contextmanager
def _table(path: Path) -> Iterator[sqlite3.Connection]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=60)) as table, table:
        table.execute("CREATE TABLE IF NOT EXISTS translations (key TEXT PRIMARY KEY, text TEXT NOT NULL)")
        yield table


def _recall(path: Path, keys: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    with _table(path) as table:
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            found |= dict(table.execute(f"SELECT key, text FROM translations WHERE key IN ({marks})", part))
    return found


def _keep(path: Path, fresh: dict[str, str]) -> None:
    with _table(path) as table:
        table.executemany("INSERT OR REPLACE INTO translations VALUES (?, ?)", fresh.items())

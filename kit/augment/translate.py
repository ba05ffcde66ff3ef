"""BackTranslation: translates texts into another language and back, with two local models."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from kit.augment.base import BatchAugment
from kit.augment.models import load
from kit.augment.pieces import sentences
from kit.core.files import checksum
from kit.core.lazy import later
from kit.core.machine import writing
from kit.core.spec import digest
from kit.core.sums import remade
from kit.weights import find_weights, local_sums

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = later("torch")

FILES = ("*.json", "*.txt", "*.model", "*.spm", "*.safetensors", "*.bin")  # files that a translation depends on


class BackTranslation(BatchAugment):
    """Translates sentences into another language and back (Sennrich et al. 2016; Edunov et al. 2018).

    Changes words and their order; keeps most of the meaning. It translates sentence by sentence, so long texts are not
    cut, and keeps the gaps between sentences.

    `variants = 1` takes the most probable translation, by beam search. With more variants, each sentence has that many
    sampled translations, and each text draws one of them; so several epochs need at most `variants` translations of a
    sentence. All translations are cached in a file, by the sentence and the digests of both models.
    """

    not_in_identity = ("cache", "batch", "device")

    there: str = Field(description="folder or name of the model into the other language")
    back: str = Field(description="folder or name of the model that translates back")
    prefixes: tuple[str, str] = Field(("", ""), description="prefixes that the models need, such as T5's task")
    beams: int = Field(4, ge=1, description="beams of the beam search")
    variants: int = Field(1, ge=1, description="translations of a sentence; if more than one, they are sampled")
    temperature: float = Field(0.9, gt=0, description="sampling temperature")
    length: int = Field(256, ge=4, description="largest number of tokens of a sentence and of its translation")
    cache: str | None = Field(
        None, description="file of cached translations; none: translations.sqlite in $KIT_CACHE or data/cache"
    )
    batch: int = Field(16, ge=1, description="sentences translated at a time")
    device: str = Field("cpu", description="device of the models, such as cuda")

    def file_checksums(self) -> dict[str, str]:
        return local_sums(there=self.there, back=self.back)

    def many(self, texts: Sequence[str], rngs: Sequence[np.random.Generator]) -> list[str]:
        how = self.beams if self.variants == 1 else self.temperature
        read = self.file_checksums()
        both = [model_digest(name, read.get(way)) for way, name in (("there", self.there), ("back", self.back))]
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
        """Key → translation; from the cache if it is there."""
        cache = Path(self.cache or Path(os.environ.get("KIT_CACHE", "data/cache"), "translations.sqlite")).expanduser()
        known = read_translations(cache, list(wanted))
        read = self.file_checksums()
        # sentences of similar length together, in an order that does not depend on the caller
        missing = sorted(wanted.keys() - known, key=lambda key: (len(wanted[key]), key))
        for start in range(0, len(missing), self.batch):
            part = missing[start : start + self.batch]
            made = [wanted[key] for key in part]
            for way, (name, prefix) in enumerate(zip((self.there, self.back), self.prefixes, strict=True)):
                model = load_translator(name, self.device, read.get(("there", "back")[way]))
                noise = [digest([way, key]) for key in part]
                made = self._by(model, [prefix + sentence for sentence in made], noise)
            fresh = {key: text.strip() or wanted[key] for key, text in zip(part, made, strict=True)}
            add_translations(cache, fresh)
            known |= fresh
        return known

    def _by(self, model: "Translator", sentences: list[str], noise: list[str]) -> list[str]:
        if self.variants == 1:
            return model.translate(sentences, self.length, num_beams=self.beams)
        sampling = GumbelMax(noise, self.temperature)
        return model.translate(sentences, self.length, num_beams=1, logits_processor=[sampling])


class GumbelMax:
    """Sampling by the Gumbel-max trick (Gumbel 1954): the maximum of scores plus noise is a sample of the softmax.

    Each row has its own noise, seeded by its key, so a translation does not depend on its batch.
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
        """Translations of the sentences.

        Args:
            sentences: at most `length` tokens of each are read.
            length: largest number of tokens of a translation.
            **how: arguments of transformers' `generate`.
        """
        batch = self.tokenizer(sentences, return_tensors="pt", padding=True, truncation=True, max_length=length)
        inputs = {name: batch[name].to(self.model.device) for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            made = self.model.generate(**inputs, do_sample=False, max_length=None, max_new_tokens=length, **how)
        return self.tokenizer.batch_decode(made, skip_special_tokens=True)


@lru_cache(maxsize=4)
def load_translator(name: str, device: str, contents: str | None) -> Translator:
    """The translator with this name, cached by device and content of its files."""
    return Translator(find_weights(name), device)


@lru_cache(maxsize=8)
def model_digest(name: str, contents: str | None) -> str:
    """Digest of the files in a model's folder."""
    folder = find_weights(name)
    return digest([[path.name, checksum(path)] for path in sorted({p for f in FILES for p in folder.glob(f)})])


# ---- cache: one table, key → translation; SQLite handles crashes and concurrent access ----------------


@contextmanager
def _table(path: Path) -> Iterator[sqlite3.Connection]:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=60)) as table, table:
            columns = "key TEXT PRIMARY KEY, text TEXT NOT NULL, sum TEXT NOT NULL"
            table.execute(f"CREATE TABLE IF NOT EXISTS summed ({columns})")
            yield table


def read_translations(path: Path, keys: list[str]) -> dict[str, str]:
    """Key → translation, for the keys that are in the file; those whose checksum does not hold are left out."""
    found: dict[str, str] = {}
    try:
        with _table(path) as table:
            for start in range(0, len(keys), 500):
                part = keys[start : start + 500]
                marks = ",".join("?" * len(part))
                rows = table.execute(f"SELECT key, text, sum FROM summed WHERE key IN ({marks})", part).fetchall()
                good = {key: text for key, text, kept in rows if kept == digest([key, text])}
                if len(good) < len(rows):
                    remade(path, "those sentences are translated again")
                found |= good
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "decode" not in str(error):  # locked, not damaged
            raise
        remade(path)
        path.unlink()
        return {}
    return found


def add_translations(path: Path, fresh: dict[str, str]) -> None:
    """Writes translations (key → text) into the file; several processes may do so at once."""
    with _table(path) as table:
        rows = [(key, text, digest([key, text])) for key, text in fresh.items()]
        table.executemany("INSERT OR REPLACE INTO summed VALUES (?, ?, ?)", rows)

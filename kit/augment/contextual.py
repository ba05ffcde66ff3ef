"""ContextualWords: replaces or inserts words that a masked language model predicts."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from kit.augment.base import BatchAugment
from kit.augment.models import load
from kit.augment.pieces import cased_like, drawn, is_han
from kit.core.errors import KitError
from kit.core.lazy import later
from kit.weights import find_weights, local_sums

if TYPE_CHECKING:
    import torch
else:
    torch = later("torch")

SUBWORD = "##"  # WordPiece: prefix of pieces that continue a word
SPACE = ("Ġ", "▁")  # byte-level BPE and SentencePiece: prefix of pieces that begin a word


class ContextualWords(BatchAugment):
    """Replaces words, or inserts words before them, by a masked language model (Kobayashi 2018; Wu et al. 2019).

    All chosen words of a text are masked at once. The new word is drawn, by its probability, from the `top` most
    probable whole words without the old one. The model does not know the label: it may replace "good" by "bad". Words
    after `length` tokens, or after the model's last position, are not changed; with insertion, words after half of
    that. If the model splits a text into characters, as Chinese BERTs do, each character is a word. The last bits of
    the probabilities depend on the other texts of the batch.
    """

    not_in_identity = ("batch", "device")

    weights: str = Field(description="folder or name of a masked language model with a fast tokenizer")
    share: float = Field(
        0.1, gt=0, le=1, description="probability that a word is replaced, or that a word is inserted before it"
    )
    action: Literal["substitute", "insert"] = Field("substitute", description="replace words, or insert words")
    top: int = Field(10, ge=1, description="the new word is drawn from so many most probable words")
    length: int = Field(512, ge=3, description="largest number of tokens that the model reads of a text")
    batch: int = Field(16, ge=1, description="texts in one forward pass")
    device: str = Field("cpu", description="device of the model, such as cuda")

    def file_checksums(self) -> dict[str, str]:
        return local_sums(weights=self.weights)

    def many(self, texts: Sequence[str], rngs: Sequence[np.random.Generator]) -> list[str]:
        model = _loaded(self.weights, self.device, *self.file_checksums().values())
        changed = list(texts)
        for start in range(0, len(texts), self.batch):
            at = range(start, min(start + self.batch, len(texts)))
            found = {i: self._masked(model, texts[i], rngs[i]) for i in at}
            rows = {i: row for i, row in found.items() if row.spans}
            for (i, row), (p, tokens) in zip(
                rows.items(), model.most_probable(list(rows.values()), self.top), strict=True
            ):
                upto = np.cumsum(p, axis=1)
                taken = (upto < rngs[i].random((len(p), 1)) * upto[:, -1:]).sum(1)
                drawn_tokens = tokens[np.arange(len(tokens)), taken].tolist()
                for token, span in reversed(list(zip(drawn_tokens, row.spans, strict=True))):  # from the text's end
                    changed[i] = self._put(changed[i], model.texts[token], *span)
        return changed

    def _masked(self, model: "WordFiller", text: str, rng: np.random.Generator) -> "Masked":
        length = min(self.length, model.places) // (2 if self.action == "insert" else 1)  # inserted masks need room
        encoded = model.tokenizer(text, truncation=True, max_length=length, return_offsets_mapping=True)
        ids, offsets, words = encoded["input_ids"], encoded["offset_mapping"], _words(encoded, text)
        made, at, old, spans, begin = [], [], [], [], 0
        for number in drawn(len(words), self.share, rng):
            first, last = words[number]
            made += ids[begin:first]
            at.append(len(made))
            made.append(model.tokenizer.mask_token_id)
            old.append(ids[first])
            start, end = offsets[first][0], offsets[last][1]
            spans.append((end - len(text[start:end].lstrip()), end))  # SentencePiece counts the space before a word
            begin = last + 1 if self.action == "substitute" else first
        return Masked(made + ids[begin:], at, old, spans)

    def _put(self, text: str, word: str, begin: int, end: int) -> str:
        if self.action == "substitute":
            return text[:begin] + cased_like(word, text[begin:end]) + text[end:]
        space = "" if is_han(word[0]) or is_han(text[begin]) else " "
        return text[:begin] + word + space + text[begin:]


class Masked(NamedTuple):
    """A masked text.

    Attributes:
        ids: token ids with masks.
        at: places of the masks in `ids`.
        old: the first token id of each masked word.
        spans: begin and end of each masked word in the text.
    """

    ids: list[int]
    at: list[int]
    old: list[int]
    spans: list[tuple[int, int]]


def _words(encoded: Any, text: str) -> list[tuple[int, int]]:
    """First and last token of each word, without punctuation that the tokenizer attaches to words."""
    offsets, numbers = encoded["offset_mapping"], encoded.word_ids(0)
    found = []
    for number, group in groupby(range(len(numbers)), numbers.__getitem__):
        full = [i for i in group if any(map(str.isalnum, text[slice(*offsets[i])]))]
        if number is not None and full:
            found.append((full[0], full[-1]))
    return found


class WordFiller:
    """A masked language model with its tokenizer, which predicts whole words."""

    def __init__(self, folder: Path, device: str) -> None:
        self.tokenizer, self.model = load(folder, "AutoModelForMaskedLM", device)
        if not self.tokenizer.is_fast or self.tokenizer.mask_token_id is None:
            raise KitError(f"{folder} has no fast tokenizer with a mask token, as ContextualWords needs")
        self.device = device
        tables = (m for name, m in self.model.named_modules() if name.endswith("position_embeddings"))
        # RoBERTa's positions begin after the padding position
        places = [t.num_embeddings - (0 if t.padding_idx is None else t.padding_idx + 1) for t in tables]
        self.places = min(places, default=2**31)
        pieces = self.tokenizer.convert_ids_to_tokens(list(range(len(self.tokenizer))))
        self.texts = [self.tokenizer.convert_tokens_to_string([piece]).strip() for piece in pieces]
        marked = [piece.startswith(SPACE) for piece in pieces]
        begins = marked if sum(marked) > len(pieces) / 10 else [not piece.startswith(SUBWORD) for piece in pieces]
        special = set(self.tokenizer.all_special_ids)
        whole = [
            b and i not in special and t.isalpha() for i, (b, t) in enumerate(zip(begins, self.texts, strict=True))
        ]
        self.whole = torch.tensor(whole, device=device).nonzero()[:, 0]

    def most_probable(self, rows: list[Masked], top: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each row probabilities (masks, top) and token ids (masks, top) of whole words, without the old ones."""
        if not rows:
            return []
        ids = torch.full((len(rows), max(len(row.ids) for row in rows)), self.tokenizer.pad_token_id or 0)
        seen = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row.ids)] = torch.tensor(row.ids)
            seen[i, : len(row.ids)] = 1
        counts = [len(row.at) for row in rows]
        number = torch.arange(len(rows)).repeat_interleave(torch.tensor(counts))
        at, old = torch.tensor([[place, token] for row in rows for place, token in zip(row.at, row.old, strict=True)]).T
        with torch.inference_mode():
            logits = self.model(input_ids=ids.to(self.device), attention_mask=seen.to(self.device)).logits
            logits = logits[number, at][:, self.whole]
            logits[self.whole == old.to(self.device)[:, None]] = -torch.inf
            best = logits.topk(min(top, len(self.whole) - 1))
        p, tokens = best.values.softmax(1).cpu().numpy(), self.whole[best.indices].cpu().numpy()
        bounds = np.cumsum(counts)[:-1]
        return list(zip(np.split(p, bounds), np.split(tokens, bounds), strict=True))


@lru_cache(maxsize=2)
def _loaded(name: str, device: str, *contents: str) -> WordFiller:
    return WordFiller(find_weights(name), device)

"""Masks of whole words: shares, words that stay together, and tokens that are never masked, against a naive reading."""

from typing import Any

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.text.masks import TokenMasks, continuing
from tests.helpers.languages import VOCABULARY, save_tokenizer

PLAIN = [i for i, token in enumerate(VOCABULARY) if token[0] != "["]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return save_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def some_batch(rng: np.random.Generator, rows: int = 400, length: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """[CLS], words of one to three tokens, [SEP], padding."""
    pieces = [VOCABULARY.index("##s"), VOCABULARY.index("##ish")]
    starts = [i for i in PLAIN if i not in pieces]
    ids = np.zeros((rows, length), dtype=np.int64)
    for row in ids:
        size, at = int(rng.integers(2, length - 1)), 1
        row[0] = VOCABULARY.index("[CLS]")
        while at < size:
            for token in [rng.choice(starts), *rng.choice(pieces, int(rng.integers(0, 3)))]:
                row[at], at = token, at + 1
                if at == size:
                    break
        row[size] = VOCABULARY.index("[SEP]")
    return ids, ids != 0


def words_of(row: np.ndarray) -> list[list[int]]:
    """The places of each word's tokens, read one after another."""
    words: list[list[int]] = []
    for place, token in enumerate(row):
        if VOCABULARY[token].startswith("##") and words and words[-1][-1] == place - 1:
            words[-1].append(place)
        elif VOCABULARY[token][0] != "[":
            words.append([place])
    return words


def test_shares_whole_words_and_what_is_never_masked(tokenizer: Any) -> None:
    rng = np.random.default_rng(0)
    ids, real = some_batch(rng)
    masks = TokenMasks.of(tokenizer, 0.15)
    chosen_words = words = tokens = masked = same = 0
    for _ in range(20):
        seen, chosen = masks.draw(ids, real, rng)
        assert not chosen[~real].any() and not chosen[ids < 5].any()  # padding, unknown, [CLS], [SEP], [MASK]
        assert (seen[~chosen] == ids[~chosen]).all()
        for row, hidden in zip(ids, chosen, strict=True):
            for places in words_of(row):
                words += 1
                chosen_words += hidden[places[0]]
                assert len(set(hidden[places])) == 1  # all of a word, or none of it
        tokens += chosen.sum()
        masked += (seen[chosen] == tokenizer.mask_token_id).sum()
        same += (seen[chosen] == ids[chosen]).sum()
        others = seen[chosen & (seen != tokenizer.mask_token_id)]
        assert np.isin(others, PLAIN).all()
    assert abs(chosen_words / words - 0.15) < 0.005
    assert abs(masked / tokens - 0.8) < 0.01
    assert abs(same / tokens - (0.1 + 0.1 / len(PLAIN))) < 0.01  # a random token may be the same one


def test_any_token_takes_the_place_of_another(tokenizer: Any) -> None:
    rng = np.random.default_rng(1)
    ids, real = some_batch(rng)
    seen, chosen = TokenMasks.of(tokenizer, 0.9).draw(ids, real, rng)
    put = seen[chosen & (seen != ids) & (seen != tokenizer.mask_token_id)]
    assert set(put) == set(PLAIN)


def test_single_tokens_are_masked_apart_if_wanted(tokenizer: Any) -> None:
    rng = np.random.default_rng(2)
    ids, real = some_batch(rng)
    _, chosen = TokenMasks.of(tokenizer, 0.5, whole_words=False).draw(ids, real, rng)
    several = [h[w] for row, h in zip(ids, chosen, strict=True) for w in words_of(row) if len(w) > 1]
    assert sum(len(set(one)) == 2 for one in several) > 0.4 * len(several)


def test_masks_are_new_each_time_and_those_of_their_generator(tokenizer: Any) -> None:
    ids, real = some_batch(np.random.default_rng(3))
    masks = TokenMasks.of(tokenizer, 0.15)
    first, again, other = (masks.draw(ids, real, np.random.default_rng(seed))[1] for seed in (5, 5, 6))
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize(
    "tokens, goes_on",
    [
        (["[CLS]", "play", "##ing", ".", "##s"], [0, 0, 1, 0, 1]),
        (["<s>", "▁play", "ing", ",", "▁a", "中", "2"], [0, 0, 1, 0, 0, 0, 1]),
        (["Ġplay", "ing", "!", "Ġ", "é"], [0, 1, 0, 0, 1]),
        (["中", "文", "a"], [0, 0, 0]),
    ],
)
def test_what_goes_on_with_a_word(tokens: list[str], goes_on: list[int]) -> None:
    assert continuing(tokens)[1:].tolist() == [bool(i) for i in goes_on][1:]


def test_a_tokenizer_without_mask_is_refused(tmp_path: Any) -> None:
    with pytest.raises(KitError, match="MaskedLM: the tokenizer of these weights has no mask token"):
        TokenMasks.of(save_tokenizer(tmp_path, mask=False), 0.15)

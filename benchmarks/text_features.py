"""Time and memory of the features of tampered text on generated articles, as the 360 recipe computes them.

python benchmarks/text_features.py --rows 100000 --length 400 --threads 2
python benchmarks/text_features.py --rows 100000 --length 400 --threads 2 --words
"""

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from competitions.chinese360.features import tampered, tampering
from competitions.chinese360.features.tampered import Tampered
from kit.core.threads import use_threads
from kit.metrics import f1
from kit.source import Source
from kit.task import Task
from kit.text.segment import Jieba, jieba_words


def articles(rows: int, length: int) -> list[str]:
    """Articles of fifty topics: words of jieba's dictionary, Zipf-distributed, commas and stops.

    Every tenth word is in no dictionary, so that about as many characters as in the contest's articles, one in
    eleven, go through jieba's hidden Markov model.
    """
    rng = np.random.default_rng(0)
    counts = jieba_words().FREQ
    known = [word for word in counts if counts[word] and len(word) in (2, 3) and min(word) >= "\u4e00"]
    words = np.array(sorted(known, key=lambda word: (-counts[word], word))[:60_000])
    letters = np.array([*{letter: None for word in words for letter in word}][:2000])
    names = np.array(["".join(pair) for pair in letters[rng.integers(len(letters), size=(50_000, 2))]])
    signs = np.array(["，", "。", "、", "：“", "”，"])
    texts = []
    for row in range(rows):
        ranks = rng.zipf(1.1, length // 2)
        topical = rng.random(len(ranks)) < 0.3
        chosen = words[np.where(topical, 10_000 + row % 50 * 1000 + ranks % 1000, ranks % 60_000)]
        chosen = np.where(rng.random(len(ranks)) < 0.1, names[rng.integers(len(names), size=len(ranks))], chosen)
        breaks = rng.choice(len(signs), len(ranks), p=[0.55, 0.3, 0.1, 0.025, 0.025])
        ends = np.where(rng.random(len(ranks)) < 0.16, signs[breaks], "")
        texts.append("".join(np.stack([chosen, ends], axis=1).ravel().tolist())[: length - 1] + "。")
    return texts


def against_jieba(texts: list[str]) -> None:
    """Prints how much sooner kit's segmenter has the same words and tags than jieba itself, on one core."""
    from jieba.posseg import POSTokenizer

    tagger, segmenter = POSTokenizer(jieba_words()), Jieba()
    segmenter.cut(texts[:1])  # it reads its dictionary now
    begin = time.process_time()
    expected = [[(pair.word, pair.flag) for pair in tagger.cut(text)] for text in texts]
    middle = time.process_time()
    assert segmenter.cut(texts) == expected
    theirs, ours = middle - begin, time.process_time() - middle
    print(f"{len(texts)} articles: jieba.posseg {theirs:.1f} s, kit {ours:.1f} s, {theirs / ours:.1f} times as fast")


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **settings: Any) -> Any:
        begin = time.perf_counter()
        result = function(*args, **settings)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{name:24s} {time.perf_counter() - begin:7.1f} s   {memory:5.2f} GiB at most so far", flush=True)
        return result

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--length", type=int, default=400, help="characters an article")
    parser.add_argument("--threads", type=int, default=1, help="threads, and processes that segment")
    parser.add_argument("--words", action="store_true", help="segment by jieba, for the surprisal of words")
    options = parser.parse_args()
    use_threads(options.threads)
    texts = articles(options.rows, options.length)
    print(f"{len(texts)} articles, {sum(map(len, texts)):,} characters")
    if options.words:
        against_jieba(texts[:1000])
    for name, function in list(vars(tampering).items()):
        if (name.endswith("_features") and name != "tampering_features") or name == "surprisal":
            setattr(tampering, name, timed(name, function))
    tampered.sequences = timed("segmentation", tampered.sequences)  # type: ignore[attr-defined]
    source = Source(pd.DataFrame({"title": [text[:12] for text in texts], "content": texts}))
    task = Task(name="generated", kind="binary", targets=("y",), text=("title", "content"), metric=f1)
    features = Tampered(segmenter=Jieba() if options.words else None)
    timed("all together", features.compute)(source, task)


if __name__ == "__main__":
    main()

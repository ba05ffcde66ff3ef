"""Time and memory of the features of tampered text on generated articles.

python benchmarks/text_features.py --rows 100000 --length 400
"""

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from kit.features import tampering


def articles(rows: int, length: int) -> list[str]:
    """Articles of Zipf-distributed words of one to three Chinese characters with commas and stops; of fifty topics."""
    rng = np.random.default_rng(0)
    letters = [chr(0x4E00 + i) for i in range(6000)]
    sizes = rng.choice([1, 2, 3], 60_000, p=[0.1, 0.75, 0.15])
    words = np.array(["".join(letters[int(i)] for i in rng.zipf(1.2, size) % 6000) for size in sizes])
    signs = np.array(["，", "。", "、", "：“", "”，"])
    texts = []
    for row in range(rows):
        ranks = rng.zipf(1.3, length // 2)
        topical = rng.random(len(ranks)) < 0.3
        chosen = words[np.where(topical, 10_000 + row % 50 * 1000 + ranks % 1000, ranks % 60_000)]
        breaks = rng.choice(len(signs), len(ranks), p=[0.55, 0.3, 0.1, 0.025, 0.025])
        ends = np.where(rng.random(len(ranks)) < 0.16, signs[breaks], "")
        texts.append("".join(np.stack([chosen, ends], axis=1).ravel().tolist())[: length - 1] + "。")
    return texts


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        begin = time.perf_counter()
        result = function(*args)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{name:24s} {time.perf_counter() - begin:7.1f} s   {memory:5.2f} GiB at most so far", flush=True)
        return result

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--length", type=int, default=400, help="characters an article")
    options = parser.parse_args()
    texts = articles(options.rows, options.length)
    print(f"{len(texts)} articles, {sum(map(len, texts)):,} characters")
    for name, function in list(vars(tampering).items()):
        if name.endswith("_features") or name == "surprisal":
            setattr(tampering, name, timed(name, function))
    tampering.tampering_features(texts, [text[:12] for text in texts])


if __name__ == "__main__":
    main()

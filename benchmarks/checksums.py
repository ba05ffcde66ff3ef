"""What checksums cost: a cache that is read, a checkpoint that is written, a rerun of a command with nothing to do.

Seconds of the processor, so that other work on the machine counts little: `make bench name=checksums`.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from kit.core.files import replacing, write_array
from kit.core.folders import finish_folder, is_whole
from kit.core.sums import verify

MIB = 256


def seconds(work: object) -> float:
    """The least processor time of three calls."""
    times = []
    for _ in range(3):
        begun = time.process_time()
        work()  # type: ignore[operator]
        times.append(time.process_time() - begun)
    return min(times)


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, array = Path(place), np.random.default_rng(0).random(MIB * 2**17)
        write_array(folder / "part/values.npy", array)
        finish_folder(folder / "part", folder / "cache")
        state = {"weights": torch.from_numpy(array)}

        def save(with_sum: bool) -> None:
            with replacing(folder / "last.pt", with_sum) as temporary, open(temporary, "wb") as file:
                torch.save(state, file)

        print(f"a cache of {MIB} MiB is known again in {seconds(lambda: is_whole(folder / 'cache')):.2f} s")
        plain, summed = seconds(lambda: save(False)), seconds(lambda: save(True))
        print(f"a checkpoint of {MIB} MiB is written in {summed:.2f} s, without its checksum in {plain:.2f} s")
        print(f"and known again in {seconds(lambda: verify(folder / 'last.pt')):.2f} s")


if __name__ == "__main__":
    main()

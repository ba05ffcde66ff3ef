"""What reads rows for a Concat: the readers of its parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from kit.data import Rows
from kit.members.concat import Concat
from kit.members.fitted import NetworkPredictor
from kit.members.reading import Reader
from kit.members.wrap import fitted_part
from kit.models import concat
from kit.train.lengths import Inputs


@dataclass(frozen=True)
class JoinedInputs:
    """Inputs of all parts, their names behind `part<i>_`."""

    parts: tuple[Inputs, ...]

    @cached_property
    def length(self) -> np.ndarray:
        """(n,) what all parts together cost."""
        return np.sum([part.length for part in self.parts], axis=0)

    def padded(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Every part's tensors."""
        return {f"part{i}_{k}": v for i, part in enumerate(self.parts) for k, v in part.padded(rows).items()}

    def key(self, row: int) -> bytes:
        """Equal for rows that are equal to every part."""
        keys = [part.key(row) for part in self.parts]
        return b"".join(len(key).to_bytes(8, "big") + key for key in keys)


class JoinedReader(Reader):
    """Reads rows for every part.

    Args:
        spec: rates of the parts.
        readers: one a part.
        bodies: trained ones to begin with; none: as each reader makes them.
    """

    def __init__(self, spec: Concat, readers: Sequence[Reader], bodies: Sequence[Any] = ()) -> None:
        self.spec, self.readers, self._bodies = spec, list(readers), list(bodies)

    def inputs(self, rows: Rows) -> JoinedInputs:
        return JoinedInputs(tuple(reader.inputs(rows) for reader in self.readers))

    def body(self) -> concat.Concat:
        return concat.Concat(self._bodies or [reader.body() for reader in self.readers], self.spec.rates)

    def blank(self) -> concat.Concat:
        return concat.Concat([reader.blank() for reader in self.readers], self.spec.rates)

    def save(self, folder: Path, body: Any) -> None:
        for i, (reader, part) in enumerate(zip(self.readers, body.parts, strict=True)):
            (folder / f"part{i}").mkdir()
            reader.save(folder / f"part{i}", part)


def fitted_reader(spec: Concat, train: Rows, valid: Rows, work: Path) -> JoinedReader:
    """The parts, trained alone on the same rows; those that a killed fit finished are kept."""
    found = (fitted_part(part, train, valid, work, i) for i, part in enumerate(spec.parts))
    fitted = [part for part in found if isinstance(part, NetworkPredictor)]
    return JoinedReader(spec, [part.reader for part in fitted], [part.net.body for part in fitted])

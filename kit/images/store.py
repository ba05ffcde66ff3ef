"""PictureFiles: where the pictures of a competition lie, in folders and zip files, and their bytes."""

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from kit.core.errors import shown
from kit.core.files import digest
from kit.images.archive import Archive, ZipEntry
from kit.images.decode import PictureFault
from kit.images.facts import KeptFacts, PictureFacts, facts_file
from kit.schema.pictures import several
from kit.source import RowFiles

ENDINGS = {
    *["jpg", "jpeg", "jpe", "jfif", "png", "gif", "bmp", "tif", "tiff", "webp", "jp2"],
    *["ppm", "pgm", "pbm", "pnm"],
}
OTHER = {"train": "test", "test": "train"}  # a train row's picture lies in no folder of test pictures


@dataclass(frozen=True)
class PictureFiles(RowFiles):
    """The pictures below a folder, as files and inside zip files, which are never unpacked.

    It pickles as the names of its folders. Bytes in cells need no folder.

    Attributes:
        folder: of the competition's files; None: names are paths of this machine, as a notebook's frame has them.
        cache: where checksums and faults are kept; None: in memory.
    """

    folder: Path | None = None
    cache: Path | None = None
    _handles: dict[str, Archive] = field(default_factory=dict, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return PictureFiles, (self.folder, self.cache)

    @cached_property
    def index(self) -> dict[str, ZipEntry | None]:
        """Name → its place in a zip file; None for a plain file.

        What train.zip holds is below train/, whether it was packed with that folder or without.

        Raises:
            KitError: a zip file is damaged or encrypted.
        """
        found: dict[str, ZipEntry | None] = {}
        if self.folder is None:
            return found
        zips = list[str]()
        for place, folders, files in os.walk(self.folder):
            folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__MACOSX")
            inside = os.path.relpath(place, self.folder).replace(os.sep, "/")
            for file in sorted(files):
                name = file if inside == "." else f"{inside}/{file}"
                if is_picture(name):
                    found[name] = None
                elif file.lower().endswith(".zip"):
                    zips.append(name)
        for name in zips:
            for member, entry in self._archive(name).entries.items():
                if is_picture(member) and not leaves(member):
                    found.setdefault(_unpacked(name, member), entry)
        return found

    @cached_property
    def _tails(self) -> dict[str, list[str]]:
        """The last part of a name, with its ending and without → the names."""
        tails: dict[str, list[str]] = {}
        for name in self.index:
            last = name.rsplit("/", 1)[-1]
            tails.setdefault(last, []).append(name)
            if (stem := last.rsplit(".", 1)[0]) != last:
                tails.setdefault(stem, []).append(name)
        return tails

    def find(self, name: str, part: str = "") -> str:
        """The full name of the picture that a cell names: with or without folders in front, and ending.

        Args:
            name: as a column has it.
            part: "train" or "test": where both have pictures of this name, which is meant.

        Raises:
            PictureFault: there is none, there are several, or the name leaves the folder.
        """
        plain = str(PurePosixPath(name.strip().replace("\\", "/")))
        if self.folder is None:
            return plain
        if leaves(plain):
            raise PictureFault("leaves the data folder")
        if plain in self.index:
            return plain
        tails = self._tails.get(plain.rsplit("/", 1)[-1], [])
        ending = re.compile(rf"(.*/)?{re.escape(plain)}(\.\w+)?")
        alike = [tail for tail in tails if ending.fullmatch(tail)]
        if len(alike) > 1 and part:
            alike = [n for n in alike if not _in_folder(n, OTHER[part])] or alike
            alike = [n for n in alike if _in_folder(n, part)] or alike
        if len(alike) > 1:
            alike = [n for n in alike if n.endswith(f"/{plain}")] or alike
        if len(alike) > 1:
            raise PictureFault(f"could be {' or '.join(map(shown, alike[:2]))}")
        if not alike:
            raise PictureFault("no such file")
        return alike[0]

    def read(self, cell: Any) -> bytes:
        """The bytes of a picture.

        Args:
            cell: its bytes, or its name.

        Raises:
            PictureFault: there is no such picture, or a zip file's checksum does not hold.
        """
        if isinstance(cell, bytes):
            return cell
        if not isinstance(cell, str):
            raise PictureFault("no picture is named")
        name = self.find(cell)
        entry = self.index.get(name)
        if entry is None:
            return _content((self.folder or Path()) / name, self.folder)
        try:
            return self._archive(entry.archive).read(entry)
        except ValueError as error:
            raise PictureFault(str(error)) from None

    def _archive(self, name: str) -> Archive:
        if name not in self._handles:
            assert self.folder is not None
            self._handles[name] = Archive(self.folder, name)
        return self._handles[name]

    def digest(self, cells: Iterable[Any]) -> str:
        groups = [several(cell) for cell in cells]
        facts = iter(self.facts([one for group in groups for one in group]))
        found = [[next(facts) for _ in group] for group in groups]
        return digest([[one.sum or one.fault for one in group] for group in found])

    def facts(self, cells: Sequence[Any]) -> list[PictureFacts]:
        """What is known of each picture: checksum, fault, perceptual hash; each is looked at once.

        Args:
            cells: names or bytes, one picture each.
        """
        return self._facts.of([self._key(cell) for cell in cells], cells, self.read)

    @cached_property
    def _facts(self) -> KeptFacts:
        return KeptFacts(facts_file(self.cache, self.folder))

    def _key(self, cell: Any) -> str:
        """What tells a picture from another one, or from what it was before."""
        if not isinstance(cell, str):
            return f"sha256:{hashlib.sha256(cell or b'').hexdigest()}"
        try:
            name = self.find(cell)
            entry = self.index.get(name)
            place = (self.folder or Path()) / (entry.archive if entry else name)
            at = place.stat() if entry is None else self._archive(entry.archive).at
            return f"{at.st_size}:{at.st_mtime_ns}:{entry.crc if entry else 0}:{name!r}"
        except (PictureFault, OSError) as error:
            return f"{error}:{cell!r}"


def _content(path: Path, folder: Path | None) -> bytes:
    if folder is not None and not path.resolve().is_relative_to(folder.resolve()):  # a link leads out
        raise PictureFault("leaves the data folder")
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureFault("no such file" if isinstance(error, FileNotFoundError) else str(error.strerror)) from None


def is_picture(name: str) -> bool:
    """Whether a file's name is that of a picture, by its ending; files of the system, such as ._a.jpg, are none."""
    last = name.rsplit("/", 1)[-1]
    stem, _, ending = last.rpartition(".")
    return bool(stem) and not last.startswith(".") and ending.lower() in ENDINGS and "__MACOSX" not in name.split("/")


def _unpacked(archive: str, member: str) -> str:
    """The name that a file of a zip file has once that is unpacked into a folder of its own name."""
    home = archive.rpartition(".")[0]
    place, _, own = home.rpartition("/")
    return "/".join(filter(None, [place if member.startswith(f"{own}/") else home, member]))


def leaves(name: str) -> bool:
    """Whether a relative name leads out of its folder, or is an absolute path."""
    depth = 0
    for part in name.split("/"):
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return name.startswith("/") or bool(re.match(r"[A-Za-z]:", name))


def _in_folder(name: str, part: str) -> bool:
    return any(folder.lower().startswith(part) for folder in name.split("/")[:-1])

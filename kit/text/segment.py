"""Segmenters: sentences as words with part-of-speech tags."""

import contextlib
import importlib.metadata
import io
import re
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from kit.core.errors import KitError
from kit.core.files import checksum, checksums
from kit.core.spec import Spec, digest
from kit.text.scripts import UNIT, UNSPACED, letters

Tagged = list[tuple[str, str]]  # words of a sentence, each with its tag


class Segmenter(Spec):
    """Splits sentences into words with tags.

    `processes`: whether several processes make it faster; not if it uses several threads itself.
    """

    processes: ClassVar[bool] = True

    @abstractmethod
    def cut(self, sentences: list[str]) -> list[Tagged]:
        """The (word, tag) pairs of each sentence in order; white space is no word, so the list may be empty.

        Raises:
            KitError: a package or a file is missing.
        """

    def key(self) -> str:
        """Changes with everything that the result depends on, also with the contents of files."""
        return digest(self.identity())


class Words(Segmenter):
    """Runs of letters, numbers and single signs, for languages with spaces between words.

    A tag is the shape of the word: word, Capital, CAPITALS, number or sign. Each unit of a script without spaces
    (`kit.text.scripts`), such as a Chinese character, is a word.
    """

    version = 2

    lowercase: bool = Field(True, description="words in lower case; the tags still show capitals")

    def cut(self, sentences: list[str]) -> list[Tagged]:
        return [[self._tagged(match) for match in _word().finditer(sentence)] for sentence in sentences]

    def _tagged(self, match: re.Match[str]) -> tuple[str, str]:
        word, kind = match[0], match.lastgroup or "word"
        if kind == "word" and word[0].isupper():
            kind = "CAPITALS" if len(word) > 1 and word.isupper() else "Capital"
        return word.lower() if self.lowercase else word, kind


@cache
def _word() -> re.Pattern[str]:
    part = rf"[^\W_{UNSPACED}] [{letters()}]*"
    word = rf"{UNIT} | {part} (?: ['’-] {part} )*"
    return re.compile(rf"(?P<number> \d+ (?: [.,:] \d+ )* ) | (?P<word> {word} ) | (?P<sign> \S )", re.VERBOSE)


class Jieba(Segmenter):
    """Chinese words and tags of jieba.posseg: the most probable path through a dictionary, an HMM for unknown words."""

    dictionary: str = Field("", description="file with more words, one `word frequency tag` a line")
    hmm: bool = Field(True, description="find words that are in no dictionary")

    def cut(self, sentences: list[str]) -> list[Tagged]:
        tagger = _jieba(self.dictionary, self._words())
        pairs = ([(p.word, p.flag) for p in tagger.cut(sentence, HMM=self.hmm)] for sentence in sentences)
        return [[pair for pair in sentence if not pair[0].isspace()] for sentence in pairs]

    def key(self) -> str:
        return digest([self.to_dict() | {"dictionary": self._words()}, installed_version("jieba", "text")])

    def file_checksums(self) -> dict[str, str]:
        return checksums(dictionary=self.dictionary)

    def _words(self) -> str:
        return checksum(_file(self.dictionary, "Jieba.dictionary")) if self.dictionary else ""


@cache
def _jieba(dictionary: str, contents: str) -> Any:
    """jieba's tagger with a user dictionary of these contents (a checksum), or none."""
    words = jieba_words()
    from kit.text.jieba_tagger import Tagger

    if dictionary:
        try:
            words.load_userdict(str(Path(dictionary).expanduser()))
        except ValueError as error:
            raise KitError(f"Jieba.dictionary: {error}") from None
    return Tagger(words)


def jieba_words() -> Any:
    """A jieba Tokenizer with the dictionary of the package, without words that were added to jieba's shared tokenizer.

    It reads the dictionary itself: jieba's cache is one file for all users and processes.

    Raises:
        KitError: jieba is missing.
    """
    installed_version("jieba", "text")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes and pkg_resources in jieba
        import jieba
        import jieba.posseg
    jieba.setLogLevel("WARNING")
    words = jieba.Tokenizer()
    words.FREQ, words.total = words.gen_pfdict(words.get_dict_file())
    words.initialized = True
    return words


class Ltp(Segmenter):
    """Chinese words and tags of an LTP 4 model (Che et al., N-LTP, 2021), neural or legacy."""

    processes = False
    not_in_identity = ("batch",)
    folder: str = Field(min_length=1, description="folder with the model's config.json and weights")
    batch: int = Field(64, ge=1, description="sentences at once")
    longest: int = Field(500, ge=1, le=510, description="characters of a sentence; a longer one is split")

    def cut(self, sentences: list[str]) -> list[Tagged]:
        model = load_ltp(self.folder)
        pieces = list(self._pieces(sentences))
        cut: list[Tagged] = [[] for _ in sentences]
        for first in range(0, len(pieces), self.batch):
            some = pieces[first : first + self.batch]
            words, tags = model.pipeline([text for _, text in some], tasks=["cws", "pos"]).to_tuple()
            for (i, _), w, t in zip(some, words, tags, strict=True):
                cut[i] += [(word.strip(), tag) for word, tag in zip(w, t, strict=True) if word.strip()]
        return cut

    def _pieces(self, sentences: list[str]) -> Iterator[tuple[int, str]]:
        for i, sentence in enumerate(map(str.strip, sentences)):
            for at in range(0, len(sentence), self.longest):
                yield i, sentence[at : at + self.longest]

    def file_checksums(self) -> dict[str, str]:
        return checksums(folder=self.folder)

    def key(self) -> str:
        config = _file(str(Path(self.folder, "config.json")), "Ltp.folder")
        files = {path.name: checksum(path) for path in sorted(config.parent.iterdir()) if path.is_file()}
        return digest([self.to_dict() | {"folder": files, "batch": 0}, installed_version("ltp", "ltp")])


@cache
def load_ltp(folder: str) -> Any:
    """The LTP model in a folder, on the GPU where there is one, read once.

    Raises:
        KitError: the package ltp is missing, or the folder holds no model.
    """
    installed_version("ltp", "ltp")
    _file(str(Path(folder, "config.json")), "Ltp.folder")
    from ltp import LTP

    with contextlib.redirect_stdout(io.StringIO()):  # it prints while it loads
        model = LTP(str(Path(folder).expanduser()))
    if hasattr(model, "to"):  # a legacy model runs on the CPU only
        import torch

        model.to("cuda" if torch.cuda.is_available() else "cpu")
    return model


def _file(path: str, setting: str) -> Path:
    found = Path(path).expanduser()
    if not found.is_file():
        raise KitError(f"{setting}: there is no file {found}")
    return found


def installed_version(package: str, extra: str) -> str:
    """The version of an installed package.

    Raises:
        KitError: it is missing; the sentence names the extra of kit that installs it.
    """
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise KitError(f"the package {package} is missing: pip install 'kit[{extra}]'") from None

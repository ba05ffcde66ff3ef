"""How a text becomes words with part-of-speech tags."""

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

from kit.files import checksum, checksums
from kit.spec import KitError, Spec, digest

Tagged = list[tuple[str, str]]  # words of a sentence, each with its tag


class Segmenter(Spec):
    """How sentences become words with tags.

    `processes` says whether it is worth running in several processes: one that has threads of its own is not.
    """

    processes: ClassVar[bool] = True

    @abstractmethod
    def cut(self, sentences: list[str]) -> list[Tagged]:
        """The (word, tag) pairs of each sentence in order; white space is no word, so a sentence may have none.

        Raises:
            KitError: a package or a file that it needs is missing.
        """

    def key(self) -> str:
        """Changes with everything that words and tags depend on, the contents of files that it reads included."""
        return digest(self.identity())


class Words(Segmenter):
    """Runs of letters, numbers and single signs, for languages that put blanks between words.

    A tag is the shape of the word: word, Capital, CAPITALS, number or sign. Chinese characters are words each.
    """

    lowercase: bool = Field(True, description="words in small letters; the tags still tell of capitals")

    def cut(self, sentences: list[str]) -> list[Tagged]:
        return [[self._tagged(match) for match in _WORD.finditer(sentence)] for sentence in sentences]

    def _tagged(self, match: re.Match[str]) -> tuple[str, str]:
        word, kind = match[0], match.lastgroup or "word"
        if kind == "word" and word[0].isupper():
            kind = "CAPITALS" if len(word) > 1 and word.isupper() else "Capital"
        return word.lower() if self.lowercase else word, kind


_WORD = re.compile(
    r"""(?P<number> \d+ (?: [.,:] \d+ )* )
    | (?P<word> [\u3400-\u9fff] | [^\W_\u3400-\u9fff]+ (?: ['’-] [^\W_\u3400-\u9fff]+ )* )
    | (?P<sign> \S )""",
    re.VERBOSE,
)


class Jieba(Segmenter):
    """Chinese words and tags of jieba.posseg: the likeliest path through a dictionary, an HMM for what is not in it."""

    dictionary: str = Field("", description="file of further words, one `word frequency tag` a line")
    hmm: bool = Field(True, description="find words that are in no dictionary")

    def cut(self, sentences: list[str]) -> list[Tagged]:
        tagger = _jieba(self.dictionary, self._words())
        pairs = ([(p.word, p.flag) for p in tagger.cut(sentence, HMM=self.hmm)] for sentence in sentences)
        return [[pair for pair in sentence if not pair[0].isspace()] for sentence in pairs]

    def key(self) -> str:
        return digest([self.dump() | {"dictionary": self._words()}, _version("jieba", "text")])

    def reads(self) -> dict[str, str]:
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
    """A Tokenizer of jieba with the dictionary that comes with it, and nothing that was added to the shared one.

    It reads the dictionary afresh: jieba's own cache is one file in the temporary folder for all users and processes.

    Raises:
        KitError: jieba is missing.
    """
    _version("jieba", "text")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its old-fashioned escapes and pkg_resources
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
    immaterial = ("batch",)
    folder: str = Field(min_length=1, description="folder with the model's config.json and weights")
    batch: int = Field(64, ge=1, description="sentences at once")
    longest: int = Field(500, ge=1, le=510, description="characters of a sentence; a longer one goes in pieces")

    def cut(self, sentences: list[str]) -> list[Tagged]:
        model = _ltp(self.folder)
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

    def reads(self) -> dict[str, str]:
        return checksums(folder=self.folder)

    def key(self) -> str:
        config = _file(str(Path(self.folder, "config.json")), "Ltp.folder")
        files = {path.name: checksum(path) for path in sorted(config.parent.iterdir()) if path.is_file()}
        return digest([self.dump() | {"folder": files, "batch": 0}, _version("ltp", "ltp")])


@cache
def _ltp(folder: str) -> Any:
    _version("ltp", "ltp")
    _file(str(Path(folder, "config.json")), "Ltp.folder")
    from ltp import LTP

    with contextlib.redirect_stdout(io.StringIO()):  # it says that it loads
        model = LTP(str(Path(folder).expanduser()))
    if hasattr(model, "to"):  # a legacy model runs on the CPU alone
        import torch

        model.to("cuda" if torch.cuda.is_available() else "cpu")
    return model


def _file(path: str, setting: str) -> Path:
    found = Path(path).expanduser()
    if not found.is_file():
        raise KitError(f"{setting}: there is no file {found}")
    return found


def _version(package: str, extra: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise KitError(f"the package {package} is missing: pip install 'kit[{extra}]'") from None

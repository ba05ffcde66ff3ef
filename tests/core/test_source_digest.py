"""Digests of a person's own code: what changes a number changes them, and nothing else does."""

import importlib.util
import linecache
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.core.source_digest import source_digest, source_of
from kit.features.base import Features
from kit.member import Member
from kit.members import Boost
from kit.metrics import Metric, f1, roc_auc
from kit.text.tfidf import Tfidf

RECIPE = '''
"""A recipe."""

import functools
import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kit.features.base import Features

SCALE = 2.5
NAMES = ("one", "two")
TABLE = {"a": 1, "b": {"c": [1, 2]}}
ARRAY = np.array([1.0, 2.0])
WORD = re.compile(r"[a-z]+", re.I)
FLAGS = {"x", "y", "z"}
seen = {}


def unrelated(x):
    return x + 1


def scaled(x, by=SCALE):
    """Scales."""
    return x * by + len(WORD.findall("a b"))  # a comment


@functools.lru_cache
def table():
    return dict(TABLE)


def looked_up(key):
    if key not in seen:
        seen[key] = table().get(key, 0)
    return seen[key]


@dataclass(frozen=True)
class Pair:
    left: float = 1.5
    right: float = 0.0


class Mixin:
    def more(self):
        extra = 1
        return extra


class Base(Mixin, Features):
    """What all share."""

    def shared(self, x):
        return [scaled(v) for v in x if v in FLAGS or v not in NAMES]


class Words(Base):
    """Counts words."""

    n: int = 3
    weights: ClassVar[tuple[int, ...]] = (1, 2)

    @property
    def total(self):
        return sum(self.weights) + Pair().left

    @staticmethod
    def rounded(x):
        return round(x, 3)

    def compute(self, source, task):
        """Numbers."""
        return self.shared(source) @ ARRAY + looked_up("a") + self.total
'''


@pytest.fixture
def digest_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Imports a recipe's text afresh and gives the digest of one of its classes or functions."""
    count = iter(range(1000))

    def load(text: str, name: str = "Words", module: str = "a_recipe") -> str:
        path = tmp_path / f"v{next(count)}" / "recipe.py"
        path.parent.mkdir()
        path.write_text(textwrap.dedent(text))
        spec = importlib.util.spec_from_file_location(module, path)
        assert spec and spec.loader
        loaded = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, module, loaded)
        spec.loader.exec_module(loaded)
        return source_digest(getattr(loaded, name))

    return load


def edited(*pairs: tuple[str, str]) -> str:
    text = RECIPE
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


@pytest.mark.parametrize(
    "old, new",
    [
        ("# a comment", "# another one, longer than it was"),
        ('"""Scales."""', '"""Scales by a factor.\n\n    Twice as long.\n    """'),
        ('    """Scales."""\n', ""),
        ('"""Counts words."""', '"""Says how many words there are."""'),
        ('        """Numbers."""\n', ""),
        ('"""A recipe."""', '"""A recipe."""\n\nimport os\n'),
        ("x * by + len(WORD.findall(\"a b\"))", "(x\n        * by\n        + len(WORD.findall('a b')))"),
        ("[scaled(v) for v in x if v in FLAGS or v not in NAMES]",
         "[\n            scaled(v)\n            for v in x\n            if v in FLAGS\n            or v not in NAMES\n        ]"),
        ("def scaled(x, by=SCALE):", "def scaled(x: float, by: float = SCALE) -> float:"),
        ("return x + 1", "return x + 2"),  # of a function that nobody uses
        ("    n: int = 3\n", "    n: int = 4\n"),  # a setting counts by its value
        ("seen = {}", 'seen = {"a": 1}'),  # a cache that the code fills
        ('FLAGS = {"x", "y", "z"}', 'FLAGS = {"z", "x", "y"}'),
        ("SCALE = 2.5", "SCALE = 2.50"),
    ],
)  # fmt: skip
def test_what_changes_no_number_changes_nothing(old: str, new: str, digest_of: Any) -> None:
    assert digest_of(edited((old, new))) == digest_of(RECIPE)


def test_neither_the_order_of_definitions_nor_the_file_counts(digest_of: Any) -> None:
    before, _, rest = RECIPE.partition("def unrelated")
    helper = rest[rest.index("def looked_up") : rest.index("@dataclass")]
    moved = before + helper + "def unrelated" + rest.replace(helper, "")
    assert digest_of(moved) == digest_of(RECIPE) == digest_of(RECIPE, module="another.place")


@pytest.mark.parametrize(
    "old, new",
    [
        ("SCALE = 2.5", "SCALE = 2.75"), ("SCALE = 2.5", "SCALE = '2.5'"), ("x * by", "x + by"), ("by=SCALE", "by=3"),
        ('"one", "two"', '"one", "three"'), ('"c": [1, 2]', '"c": [1, 3]'), ("[1.0, 2.0]", "[1.0, 2.5]"),
        ("np.array([1.0, 2.0])", "np.array([1.0, 2.0], np.float32)"), ("[a-z]+", "[a-z]"), (", re.I", ""),
        ('{"x", "y", "z"}', '{"x", "y"}'), ("table().get(key, 0)", "table().get(key, 1)"),
        ("left: float = 1.5", "left: float = 2.5"), ("...]] = (1, 2)", "...]] = (1, 3)"),
        ("sum(self.weights)", "max(self.weights)"), ("round(x, 3)", "round(x, 4)"), ("for v in x if", "for v in x[1:] if"),
        ("class Base(Mixin, Features)", "class Base(Features)"), ("extra = 1", "extra = 2"), ('looked_up("a")', 'looked_up("b")'),
    ],
)  # fmt: skip
def test_what_changes_a_number_changes_it(old: str, new: str, digest_of: Any) -> None:
    assert digest_of(edited((old, new))) != digest_of(RECIPE)


def test_what_the_code_fills_while_it_runs_is_no_constant(digest_of: Any) -> None:
    digest = digest_of(RECIPE)
    module = sys.modules["a_recipe"]
    module.looked_up("a")
    module.table()
    assert module.seen and source_digest(module.Words) == digest
    module.SCALE = 7  # as a notebook's cell does
    assert source_digest(module.Words) == digest  # a default took the old one, when the function was made
    module.NAMES = ("one",)
    assert source_digest(module.Words) != digest


SCRIPT = """
import importlib.util, sys
from kit.core.source_digest import source_digest
spec = importlib.util.spec_from_file_location("a_recipe", {path!r})
module = importlib.util.module_from_spec(spec)
sys.modules["a_recipe"] = module
spec.loader.exec_module(module)
print(source_digest(module.Words))
"""


def test_processes_agree_whatever_their_hash_seed(digest_of: Any, python: Any, tmp_path: Path) -> None:
    (tmp_path / "recipe.py").write_text(RECIPE)
    found = {python(SCRIPT.format(path=str(tmp_path / "recipe.py")), PYTHONHASHSEED=s).strip() for s in ("1", "2")}
    assert found == {digest_of(RECIPE)}


def test_a_script_that_is_run_agrees_with_the_module(digest_of: Any, tmp_path: Path) -> None:
    import subprocess

    script = RECIPE + "\nfrom kit.core.source_digest import source_digest\nprint(source_digest(Words))\n"
    (tmp_path / "script.py").write_text(script)
    root = str(Path(__file__).parents[2])
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": root}
    )
    assert ran.stdout.strip() == digest_of(RECIPE), ran.stderr


def cell(text: str, number: int, space: dict[str, Any], source: bool = True) -> None:
    """Runs a text as a notebook runs a cell: in __main__'s names, its source where tracebacks look for it."""
    name = f"<ipython-input-{number}-{source}>"
    if source:
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    exec(compile(text, name, "exec"), space)


@pytest.mark.parametrize("source", [True, False])
def test_cells_of_a_notebook(source: bool, digest_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(sys)("__mp_main__")
    monkeypatch.setitem(sys.modules, "__mp_main__", module)
    space = vars(module)
    head, _, tail = RECIPE.partition("def unrelated")
    cell(head, 1, space, source)
    cell("def unrelated" + tail, 2, space, source)
    first = source_digest(space["Words"])
    assert (first == digest_of(RECIPE)) is source  # without a source the instructions count
    cell("def unrelated" + tail.replace("# a comment", "# another").replace('"""Scales."""', ""), 3, space, source)
    assert source_digest(space["Words"]) == first
    cell('NAMES = ("one",)', 4, space, source)
    second = source_digest(space["Words"])
    assert second != first
    cell("def scaled(x, by=SCALE):\n    return x - by", 5, space, source)
    assert source_digest(space["Words"]) not in (first, second)


def test_a_file_edited_after_its_import_does_not_count(digest_of: Any) -> None:
    digest = digest_of(RECIPE)
    module = sys.modules["a_recipe"]
    Path(module.__file__ or "").write_text(edited(("x * by", "x + by")))
    linecache.checkcache()
    assert source_digest(module.Words) == digest  # what runs is still the old code
    Path(module.__file__ or "").write_text("# another line\n" * 3 + edited(("round(x, 3)", "round(x, 4)")))
    linecache.checkcache()
    fresh = source_digest(module.scaled), digest_of(RECIPE, "scaled")
    assert fresh[0] == fresh[1]  # the function itself is unchanged, though it moved


def test_helpers_of_ones_own_other_files_count(digest_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    main = """
    import helpers_of_mine
    from helpers_of_mine import scaled
    def first(x): return scaled(x)
    def second(x): return helpers_of_mine.scaled(x)
    def third(x):
        from helpers_of_mine import scaled as other
        return other(x)
    """

    def found(text: str) -> list[str]:
        (tmp_path / "helpers_of_mine.py").write_text(text)
        monkeypatch.delitem(sys.modules, "helpers_of_mine", raising=False)
        importlib.invalidate_caches()
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        try:
            return [digest_of(main, name) for name in ("first", "second", "third")]
        finally:
            sys.dont_write_bytecode = before

    plain = found("BY = 2\ndef scaled(x): return x * BY\ndef other(x): return x\n")
    assert found("BY = 2  # two\n\ndef scaled(x):\n    return x * BY\n\ndef other(x): return 7 * x\n") == plain
    assert not set(found("BY = 33\ndef scaled(x): return x * BY\ndef other(x): return x\n")) & set(plain)


def test_closures_lambdas_and_decorators_count(digest_of: Any) -> None:
    text = """
    import functools
    def times(by):
        def inner(x): return x * by
        return inner
    def twice(function):
        @functools.wraps(function)
        def wrapper(*given): return 2 * function(*given)
        return wrapper
    double = times(2)
    square = lambda x: x ** 2
    cubed = functools.partial(pow, exp=3)
    @twice
    def decorated(x): return x + 1
    def recursive(n): return other(n - 1) if n else 0
    def other(n): return recursive(n) + 1
    """
    assert digest_of(text, "double") != digest_of(text.replace("times(2)", "times(3)"), "double")
    assert digest_of(text, "square") != digest_of(text.replace("x ** 2", "x ** 4"), "square")
    assert digest_of(text, "cubed") != digest_of(text.replace("exp=3", "exp=4"), "cubed")
    assert digest_of(text, "decorated") != digest_of(text.replace("x + 1", "x + 2"), "decorated")
    assert digest_of(text, "decorated") != digest_of(text.replace("2 * function", "3 * function"), "decorated")
    assert digest_of(text, "recursive") != digest_of(text.replace("+ 1\n    ", "+ 2\n    "), "recursive")
    assert digest_of(text, "square") == digest_of(text.replace("lambda x: x ** 2", "(lambda x: (x ** 2))"), "square")


def test_tensors_networks_and_objects_count(digest_of: Any) -> None:
    text = """
    import torch
    from torch import nn
    RATE = torch.tensor([1.0, 2.0])
    class Counter:
        def __init__(self, start): self.start, self.table = start, {}
        def count(self, key):
            self.table[key] = self.start
            return self.table[key]
    COUNTER = Counter(5)
    class Net(nn.Module):
        def __init__(self, width=8):
            super().__init__()
            self.layer = nn.Linear(2, width)
        @torch.no_grad()
        def forward(self, x): return self.layer(x) * RATE + COUNTER.count("a")
    def build(): return Net()
    """
    plain = digest_of(text, "build")
    module = sys.modules["a_recipe"]
    module.COUNTER.count("a")
    assert source_digest(module.build) == plain  # what it counted is no constant
    for old, new in (("2.0]", "2.5]"), ("Counter(5)", "Counter(6)"), ("width=8", "width=9"), ("self.layer(x) *", "-")):
        assert digest_of(text.replace(old, new), "build") != plain


@pytest.mark.parametrize(
    "constant, what",
    [
        ("open(__file__)", "_io.TextIOWrapper"),
        ("(x for x in ())", "builtins.generator"),
        ("__import__('numpy').random.default_rng(0)", "a random generator"),
        ("{'deep': [iter(open(__file__))]}", "_io.TextIOWrapper"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(constant: str, what: str, digest_of: Any) -> None:
    with pytest.raises(KitError) as error:
        digest_of(f"VALUE = {constant}\ndef uses(): return VALUE", "uses")
    sentence = str(error.value)
    assert sentence.startswith("'VALUE', which uses uses, is a") and what in sentence and ": make it " in sentence
    assert "\n" not in sentence


def test_a_lock_changes_no_number(digest_of: Any) -> None:
    text = "import threading\nLOCK = threading.Lock()\ndef uses():\n    with LOCK: return 1"
    assert digest_of(text, "uses") != digest_of(text.replace("return 1", "return 2"), "uses")


# ---- in the identity of specs and metrics --------------------------------------------------------


class Own(Features):
    def compute(self, source: Any, task: Any) -> np.ndarray:
        return np.zeros((len(source.frame), 1))


def test_specs_that_are_not_kits_own_hold_a_digest_of_their_code() -> None:
    assert "source_digest" not in Boost().identity() and "source_digest" not in Own().to_dict()
    own = Own().identity()
    assert own["source_digest"] == source_digest(Own) and Boost(features=(Own(),)).identity()["features"] == [own]
    assert Features.from_dict(own) == Own()
    assert source_of(Tfidf) is None and source_of(np.mean) is None and source_of(Own) == source_digest(Own)


def spread(y: np.ndarray, p: np.ndarray) -> float:
    return float(np.ptp(p))


def test_a_metric_of_ones_own_holds_a_digest_of_its_code() -> None:
    assert roc_auc.identity() == "roc_auc" and f1.at(0.3).identity() == "f1@0.3"
    ours = Metric(spread, greater_is_better=True)
    assert ours.identity()[0] == "spread" and len(ours.identity()[1]) == 64
    assert ours.identity() != Metric(spread, greater_is_better=False).identity()
    assert ours.identity() != Metric(lambda y, p: 0.0, "spread", greater_is_better=True).identity()
    assert ours.identity() != Metric(roc_auc.fn, "spread", greater_is_better=True).identity()
    assert Metric(spread, "roc_auc", greater_is_better=True).identity() != "roc_auc"


def test_a_member_of_ones_own(digest_of: Any) -> None:
    text = """
    from kit.member import Member, Predictor
    LEVEL = 0.5
    class Flat(Predictor):
        def predict(self, rows): return LEVEL
        def save(self, folder): pass
        @classmethod
        def load(cls, folder): return cls()
    class Guess(Member):
        def learn(self, train, valid, work): return Flat()
    """
    assert digest_of(text, "Guess") == digest_of(
        text.replace("def save(self, folder)", "def save(self,  folder)"), "Guess"
    )
    assert digest_of(text, "Guess") != digest_of(text.replace("LEVEL = 0.5", "LEVEL = 0.6"), "Guess")
    assert isinstance(sys.modules["a_recipe"].Guess(), Member)

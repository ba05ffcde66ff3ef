"""Settings and words as nobody would type them, for the fuzzers."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from competitions.toxic.recipe import Toxic
from kit.core.errors import LONGEST, KitError
from kit.core.spec import Spec

ODD = st.text(st.characters(exclude_categories=()), max_size=30)  # surrogates and NUL among them
LEAVES = st.one_of(
    st.sampled_from(["", "none", "nan", "inf", "-0", "1e999", "1e-400", "true", "[]", "{}", "()", ",", "''", "0x10"]),
    st.integers().map(str),
    st.floats().map(str),
    st.integers(1, 5000).map(lambda digits: "9" * digits),
    st.sampled_from(["[", "(", "{", "-", "not ", "lambda:"]).flatmap(
        lambda mark: st.sampled_from([3, 60, 2000, 10_000]).map(lambda times: mark * times)
    ),
    ODD,
)
NAMES = st.sampled_from(
    [
        "Perturb",
        "FGM",
        "FGM()",
        "AWP",
        "Lookahead",
        "AdamW",
        "Boost",
        "Optimizer",
        "Member",
        "Spec",
        "object",
        "__import__",
    ]
)
VALUES = st.recursive(
    LEAVES | NAMES,
    lambda inner: st.one_of(
        st.tuples(NAMES, ODD | st.sampled_from(["lr", "self", "k", "**x", "*x", "base"]), inner).map(
            lambda part: f"{part[0].removesuffix('()')}({part[1]}={part[2]})"
        ),
        st.lists(inner, max_size=3).map(",".join),
        inner.map(lambda text: f"({text},)"),
        inner.map(lambda text: f"[{text}]"),
        inner.map(lambda text: f"{{{text}: {text}}}"),
    ),
    max_leaves=6,
)


def settings_of(names: list[str]) -> st.SearchStrategy[str]:
    """`name=value` with names that there are, parts of them, and names that there are not."""
    tails = [name.rpartition(".")[2] for name in names]
    dunders = ["__class__", "__init__", "model_config", "minilm.__dict__", "version", "_own", "copy", "", ".", "a..b"]
    name = st.sampled_from([*names, *tails]) | st.sampled_from(dunders) | ODD
    return st.one_of(st.tuples(name, VALUES).map("=".join), ODD)


def quickly(examples: int) -> settings:
    """The same examples in every run, as many as CI has time for."""
    health = [*HealthCheck]
    return settings(max_examples=examples, derandomize=True, deadline=None, database=None, suppress_health_check=health)


def refused_or_taken(work: Callable[[], Any]) -> Any:
    """What the work gives, or the sentence by which it was refused; anything else is raised."""
    try:
        return work()
    except KitError as error:
        said = str(error)
        assert 0 < len(said) <= LONGEST and said.isprintable() and said.encode()
        return said


TOXIC = Toxic()
SETTINGS = settings_of([option.name for option in TOXIC.options()])


def check_setting(setting: str) -> None:
    """A setting of the recipe is taken, or refused in one sentence; what was taken can be saved and read back."""
    found = refused_or_taken(lambda: TOXIC.override(setting))
    if isinstance(found, Spec):
        assert type(found).from_dict(found.to_dict()) == found

"""Opened: the names from which another process opens the same run."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from kit.core.threads import threads as default_threads
from kit.member import Member
from kit.recipe import Recipe
from kit.table import Table


@dataclass(frozen=True)
class Opened:
    """Names that identify a run. They are sent to another process or machine in place of the data.

    Attributes:
        recipe: "module:Class".
        settings: override strings, including those of presets.
        data: folder of the competition's files.
        root: the run folder.
        cache: folder for what is computed once.
        sample: train rows to keep; None: all.
        threads: threads of numeric code, the same wherever a fold is fitted.
        fewer: number of train rows that each fold keeps; None: all, see `Run`.
        holdout: share of the train rows that is held out, see `Run`.
        members: name and `Spec.to_dict` as JSON of members that are not fields of the recipe.
    """

    recipe: str
    settings: tuple[str, ...]
    data: Path
    root: Path
    cache: Path
    sample: int | None = None
    threads: int = 1
    fewer: int | None = None
    holdout: float = 0.0
    members: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls, recipe: Recipe, settings: Sequence[str], data: Path, root: Path, cache: Path, sample: int | None = None,
        threads: int | None = None,
    ) -> "Opened | None":  # fmt: skip
        """The names of a run of `recipe`, which is its class with these settings.

        Returns:
            None if another process could not make the same recipe from these names: its class is defined in a notebook
            or in a function, or the recipe has values that no setting set.
        """
        kind, module = type(recipe), type(recipe).__module__
        there = module != "__main__" and getattr(sys.modules.get(module), kind.__name__, None) is kind
        if not there or kind().override(*settings) != recipe:
            return None
        data, root, cache = (folder.absolute() for folder in (data, root, cache))
        name = f"{module}:{kind.__name__}"
        return cls(name, tuple(settings), data, root, cache, sample, threads or default_threads())

    def with_members(self, members: Mapping[str, Member]) -> "Opened":
        """The same names with more members that are not fields of the recipe."""
        written = tuple((name, json.dumps(member.to_dict())) for name, member in members.items())
        return replace(self, members=(*self.members, *written))

    def read_recipe(self) -> Recipe:
        """The recipe with all its settings and members."""
        recipe = cast(Recipe, self._class()().override(*self.settings))
        further = {
            name: Member.from_dict(json.loads(text), self.recipe.partition(":")[0]) for name, text in self.members
        }
        return recipe.with_members(further) if further else recipe

    def read_table(self) -> Table:
        """The rows. They do not depend on the members' settings, so a process reads them only once."""
        cls = self._class()
        recipe = cast(Recipe, cls().override(*self.settings))
        untouched = recipe.model_copy(update={name: getattr(cls(), name) for name in recipe.members})
        return _table(untouched, self.data, self.cache, self.sample)

    def _class(self) -> Any:
        module, _, name = self.recipe.partition(":")
        return getattr(import_module(module), name)


@lru_cache(maxsize=2)
def _table(recipe: Recipe, data: Path, cache: Path, sample: int | None) -> Table:
    table = recipe.load(data, cache)
    return table if sample is None else table.subset(sample)

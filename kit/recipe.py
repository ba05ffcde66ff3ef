"""Recipe: a competition's task, rows, folds and members in one class."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from pydantic import Field, PrivateAttr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from kit.core.errors import KitError, nearest
from kit.core.spec import Spec, validator
from kit.ensemble import Blend, Greedy
from kit.folds import Folds, KFold
from kit.images.labelled import LabelledPictures, find_labelled
from kit.member import Member
from kit.members.reseeding import reseeding
from kit.reading.discovery import FILES, Files, extra_in, files_in, find_data, no_data
from kit.reading.form import CSV, Form
from kit.sides.side import Side, checked_sides
from kit.table import Table, read_labelled, read_table
from kit.task import Medals, Task


class Role(NamedTuple):
    """A field that every recipe has."""

    base: type[Spec]
    meaning: str
    example: str


ROLES = {
    "folds": Role(Folds, "how rows are split", "Stratified(n=5)"),
    "blend": Role(Blend, "how members are joined", "Greedy()"),
}
NO_FIELDS = (FunctionType, property, cached_property, classmethod, staticmethod)

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass as SpecType  # as type checkers know it
else:
    SpecType = type(Spec)


class RecipeType(SpecType):
    """Lets a recipe state its fields without annotations: `boost = Boost()` is `boost: Boost = Boost()`.

    What is no setting is refused by its name when the class is made, before a run could trip over it.
    """

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **settings: Any) -> type:
        if bases != (Spec,):  # a recipe, and not Recipe itself
            annotations = _annotated(name, bases, namespace)
            described = {
                role: Field(namespace[role], description=about.meaning)
                for role, about in ROLES.items()
                if isinstance(namespace.get(role), Spec)
            }
            namespace = {**namespace, **described, "__annotations__": annotations}
        return super().__new__(mcs, name, bases, namespace, **settings)


class Recipe(Spec, metaclass=RecipeType):
    """Derive from it, state the task, and add one field per member; that is all a competition needs.

        class Mine(Recipe):
            task = Task(name="mine", kind="binary", text="review", targets="sold", metric=roc_auc)
            folds = Stratified(n=5)
            linear = Linear()
            boost = Boost(num_leaves=63)

    A preset is a named list of override strings. `files` and `form` are stated where the competition's files are not
    train.csv, test.csv and sample_submission.csv (None: there is none) with header lines; `extra` names files of
    further rows without labels and `sides` describes related tables, see docs/files.md. Pictures with labels in their
    names are `files = LabelledPictures(…)`; for what is neither, override `load`. `techniques` are what `make ablate`
    tries beside the defaults of kit/evidence/ablate/techniques.py: name → settings, or name → way → settings. `tune`
    says where knobs are searched: name → space of `kit.tune`. `medals` are facts of the leaderboard that kit does not
    know itself.
    """

    task: ClassVar[Task]
    files: ClassVar[Files | LabelledPictures] = FILES
    extra: ClassVar[str | tuple[str, ...]] = ()
    form: ClassVar[Form] = CSV
    sides: ClassVar[Side | tuple[Side, ...]] = ()
    presets: ClassVar[dict[str, list[str]]] = {}
    tune: ClassVar[Mapping[str, Any]] = {}
    techniques: ClassVar[dict[str, str | dict[str, str]]] = {}
    medals: ClassVar[Medals | None] = None

    folds: Folds = Field(KFold(), description=ROLES["folds"].meaning)
    blend: Blend = Field(Greedy(), description=ROLES["blend"].meaning)
    _further: dict[str, Member] = PrivateAttr(default_factory=dict)

    @validator(mode="after")
    def _has_a_task(self) -> Self:
        if not isinstance(getattr(type(self), "task", None), Task):
            raise ValueError("the recipe has no task; add task = Task(name=…, kind=…, targets=…, metric=…)")
        checked_sides(self.sides)
        return self

    def open(self, *args: Any, **options: Any) -> Any:
        """This recipe on its rows, a `kit.Session`: `run = Mine().open("data/mine")`, then `run.fit()`, `run.blend()`.

        `kit.session`, a room above this one, puts its `open_recipe` here: see there for the arguments.
        """
        raise KitError("a recipe is opened by kit.session; take Recipe from there: from kit import Recipe")

    @property
    def members(self) -> dict[str, Member]:
        """The recipe's members by name, in the order they are declared."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if isinstance(value, Member)} | self._further

    def with_members(self, further: Mapping[str, Member]) -> Self:
        """The same recipe with members that are none of its fields, so no setting reaches them."""
        other = self.model_copy()
        other._further = {**self._further, **further}
        return other

    def chosen(self, names: str | list[str] | None = None) -> dict[str, Member]:
        """The members of these names (all by default), in the recipe's order.

        Raises:
            KitError: a name is not a member's, or there are no members.
        """
        if not self.members:
            raise KitError(f"'{self.task.name}' has no members: add a field for each, such as boost = Boost()")
        requested = names.replace(",", " ").split() if isinstance(names, str) else names
        for name in requested or []:
            if name not in self.members:
                raise KitError(f"'{self.task.name}' has no member '{name}'" + nearest(name, list(self.members)))
        return {n: m for n, m in self.members.items() if not requested or n in requested}

    def overrides(
        self,
        preset: str | None = None,
        settings: Sequence[str] = (),
        seed: int | None = None,
        further: Mapping[str, list[str]] = {},
    ) -> list[str]:
        """Override strings of a preset, one of the recipe's or a further one, then `settings`, then a seed for all."""
        presets = {**further, **self.presets}
        if preset is not None and preset not in presets:
            raise KitError(f"'{self.task.name}' has no preset '{preset}'" + nearest(preset, list(presets)))
        members = {} if seed is None else self.members
        seeds = [text for name, m in members.items() for text in reseeding(name, m, (seed or 0) - m.seed)]
        return [*(presets[preset] if preset else ()), *settings, *seeds]

    def load(self, folder: Path, cache: Path | None = None) -> Table:
        """The competition's rows.

        Args:
            folder: where `files`, `extra` and `sides` (or the same zipped) lie.
            cache: where what is computed once is kept.

        Raises:
            KitError: a file is missing, or what it holds does not fit the task.
        """
        if isinstance(self.files, LabelledPictures):
            if self.extra:
                raise KitError(f"{type(self).__name__}.extra: files of rows do not go with LabelledPictures")
            if self.sides:
                raise KitError(f"{type(self).__name__}.sides: side tables do not go with LabelledPictures")
            return read_labelled(self.task, folder, self.files, cache)
        train, test, sample = files_in(folder, self.files, bool(self.task.images))
        extra = extra_in(folder, self._extra_names())
        return read_table(self.task, train, test, sample, cache, self.form, extra, self.sides)

    def all_files(self) -> tuple[str | None, ...]:
        """Names of the competition's files, those of extra rows last."""
        return (*self.files, *self._extra_names())

    def _extra_names(self) -> tuple[str, ...]:
        return (self.extra,) if isinstance(self.extra, str) else self.extra

    def find_data(self) -> Path | None:
        """The folder with its files: below $KIT_DATA, or wherever /kaggle/input has them; None if nowhere."""
        if isinstance(self.files, LabelledPictures):
            return find_labelled(self.task, self.files)
        return find_data(self.task, self.files[0], self.form)

    def write_sample(self, folder: Path) -> None:
        """Writes the embedded sample's files into `folder`; a recipe without one says where files are looked for."""
        raise no_data(self.task, self.all_files())

    @property
    def has_sample(self) -> bool:
        """Whether there is an embedded sample."""
        return type(self).write_sample is not Recipe.write_sample


def _annotated(name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> dict[str, Any]:
    """The annotations of a recipe's class body, with those of fields that have none, in the order of the fields.

    Raises:
        KitError: a field is no setting.
    """
    given = namespace.get("__annotations__", {})
    annotations = {field: kind for field, kind in given.items() if field not in namespace}
    for field, value in namespace.items():
        inner = isinstance(value, type) and value.__qualname__ == f"{namespace.get('__qualname__')}.{field}"
        if field.startswith("_") or (field not in given and (inner or isinstance(value, NO_FIELDS))):
            continue
        if field in given:
            annotations[field] = given[field]
            default = value.default if isinstance(value, FieldInfo) else value
            if "ClassVar" not in str(given[field]) and not _is_setting(default):
                raise KitError(f"{name}.{field}: {_refused(field, default)}")
        elif not any(field in getattr(base, "__class_vars__", ()) for base in bases):
            annotations[field] = _kind(name, field, value)
    return annotations


def _kind(name: str, field: str, value: Any) -> type:
    """The type of a field that has no annotation."""
    if field in ROLES and isinstance(value, ROLES[field].base):
        return ROLES[field].base
    if isinstance(value, Member) and field not in ROLES:
        return type(value)
    raise KitError(f"{name}.{field}: {_refused(field, value)}")


def _refused(field: str, value: Any) -> str:
    """Why a recipe cannot have such a field, and what is meant."""
    kind = type(value).__name__
    if field in ROLES:
        return f"must be {ROLES[field].base.__name__} such as {ROLES[field].example}, not {_shown(value)}"
    for role, about in ROLES.items():
        if isinstance(value, about.base):
            return f"the field for {about.base.__name__} such as {kind} is called '{role}'"
    if isinstance(value, type):
        return f"is a class and no setting; write {value.__name__}() with what it is to be set to"
    if isinstance(value, Task):
        return "the field for the Task is called 'task'"
    if field in Task.model_fields:
        return f"a recipe has no '{field}' of its own; it belongs to the task: task = Task({field}=…)"
    if any(base.__module__.startswith("torch.nn.modules") for base in type(value).__mro__):
        return "a network (torch.nn.Module) is no setting; make a member of it with Module(build=…)"
    if any(base.__module__ == "sklearn.base" for base in type(value).__mro__):
        return "a scikit-learn estimator is no setting; make a member of it with Estimator(…)"
    clause = nearest(field, sorted([*ROLES, *Recipe.__class_vars__ - Spec.__class_vars__]))
    near = clause if "did you mean" in clause else ""
    if isinstance(value, (int, float, str)):
        return f"{value!r} is no member, folds or blend; for a setting of the recipe's own, annotate its type{near}"
    return f"{_shown(value)} is no setting; a recipe's fields are members, folds and a blend{near}"


def _shown(value: Any) -> str:
    kind = type(value)
    home = kind.__module__.partition(".")[0]
    return "None" if value is None else kind.__name__ if home in ("builtins", "kit") else f"{home}.{kind.__name__}"


def _is_setting(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_setting, value))
    return value is PydanticUndefined or value is None or isinstance(value, (Spec, str, int, float, Path, FunctionType))

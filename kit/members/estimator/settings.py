"""Parameters of scikit-learn's estimators as settings: each estimator's own names, defaults and checks."""

import importlib
import inspect
import re
from functools import cache
from itertools import takewhile
from typing import Any, ClassVar, Self, cast

from pydantic import Field, create_model

from kit.core.errors import KitError, close_to, nearest
from kit.core.spec import Spec

NAME = re.compile(r"sklearn(\.[a-z]\w*)+\.[A-Z]\w*")  # a public module of scikit-learn, and a class in it


class EstimatorSettings(Spec):
    """Parameters of an estimator of scikit-learn, by its own names and with its own defaults.

    `EstimatorSettings(of="sklearn.svm.SVC", C=2)` is of a class that has a field for each of SVC's parameters.
    """

    of: str = Field(description="the class, such as sklearn.ensemble.ExtraTreesClassifier", init=False)
    not_in_identity = ("n_jobs", "verbose")
    defaults: ClassVar[dict[str, Any]] = {}

    def __new__(cls, *args: Any, of: str = "", **settings: Any) -> Self:
        """Of a class that has the estimator's parameters as fields, made when it is first needed."""
        made = cls if cls.defaults or not of else _settings_class(qualified(of))
        return cast(Self, super().__new__(made))  # type: ignore[arg-type, type-var]

    def __init__(self, of: str, **settings: Any) -> None:
        if unknown := [name for name in settings if name not in self.defaults]:
            hint = nearest(unknown[0], list(self.defaults))
            hint = "; it is the member's seed" if unknown[0] == "random_state" else hint
            raise KitError(f"Estimator: {of.rpartition('.')[2]} has no parameter '{unknown[0]}' to set{hint}")
        super().__init__(of=qualified(of), **settings)
        self.build()

    def build(self, seed: int = 0) -> Any:
        """The estimator, not fitted yet, and those within it; `seed` is the random_state of each that takes one.

        Raises:
            KitError: it refuses a value.
        """
        from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

        cls = sklearn_class(self.of)
        own = {name: getattr(self, name) for name in type(self).defaults}
        built = {
            key: value.build(seed) if isinstance(value, EstimatorSettings) else value for key, value in own.items()
        }
        try:
            validate_parameter_constraints(cls._parameter_constraints, built, cls.__name__)
        except InvalidParameterError as error:
            raise KitError(f"Estimator: {str(error)[:1].lower()}{str(error)[1:]}") from None
        return cls(**built | ({"random_state": seed} if _takes_seed(cls) else {}))

    @property
    def seeded(self) -> bool:
        """Whether the estimator, or one within it, takes a random_state, which is the member's seed."""
        inner = [value for name in self.defaults if isinstance(value := getattr(self, name), EstimatorSettings)]
        return _takes_seed(sklearn_class(self.of)) or any(settings.seeded for settings in inner)

    def _as_dict(self, method: str, names: list[str]) -> dict[str, Any]:
        """Those that are no defaults: a release of scikit-learn with a further parameter changes no identity."""
        unlike = [name for name in names if name not in self.defaults or getattr(self, name) != self.defaults[name]]
        return super()._as_dict(method, unlike)


def _takes_seed(cls: Any) -> bool:
    return "random_state" in inspect.signature(cls).parameters


@cache
def qualified(name: str) -> str:
    """An estimator's class with its module, such as sklearn.svm.SVC for SVC.

    Raises:
        KitError: scikit-learn has no classifier or regressor of this name.
    """
    if "." in name:
        sklearn_class(name)
        return name
    known = _known()
    if name not in known:
        raise KitError(f"Estimator: scikit-learn has no classifier or regressor '{name}'" + close_to(name, [*known]))
    return known[name]


@cache
def sklearn_class(name: str) -> Any:
    """The class of a qualified name. It is scikit-learn's, whatever a file says: nothing else is imported."""
    from sklearn.base import ClassifierMixin, RegressorMixin

    module, _, last = name.rpartition(".")
    found = None
    if NAME.fullmatch(name):
        try:
            found = getattr(importlib.import_module(module), last, None)
        except ImportError:
            found = None
    right = isinstance(found, type) and issubclass(found, (ClassifierMixin, RegressorMixin))
    if not right or not getattr(found, "__module__", "").startswith("sklearn."):
        raise KitError(f"Estimator: scikit-learn has no classifier or regressor '{name}'" + close_to(last, [*_known()]))
    return found


@cache
def _known() -> dict[str, str]:
    """Name → qualified name of scikit-learn's classifiers and regressors."""
    from sklearn.utils import all_estimators

    found = all_estimators(type_filter=["classifier", "regressor"])
    public = {name: takewhile(lambda part: not part.startswith("_"), cls.__module__.split(".")) for name, cls in found}
    return {name: ".".join([*parts, name]) for name, parts in public.items()}


@cache
def _settings_class(name: str) -> type[EstimatorSettings]:
    """The settings of an estimator of scikit-learn, each of its parameters a field."""
    parameters = inspect.signature(sklearn_class(name)).parameters
    defaults = {key: p.default for key, p in parameters.items() if key != "random_state"}
    fields: dict[str, Any] = {
        key: (Any, ... if value is inspect.Parameter.empty else value) for key, value in defaults.items()
    }
    made = create_model(EstimatorSettings.__name__, __base__=EstimatorSettings, __module__=__name__, **fields)
    made.defaults = defaults
    return made

"""Spaces: the values that Optuna can draw for a setting. A drawn value is the text of an override string."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from kit.core.spec import Spec, validator

if TYPE_CHECKING:
    from optuna.trial import Trial

DIGITS = 4  # significant digits of a drawn number: presets stay readable, and no model needs a fifth digit


class Space(Spec):
    """The values among which one setting is searched."""

    @abstractmethod
    def suggest(self, trial: "Trial", name: str) -> str:
        """Draws the value for a trial, as the text of an override."""

    @abstractmethod
    def probes(self) -> list[str]:
        """Texts that the setting must accept, or this space is refused."""

    @abstractmethod
    def own(self, value: Any, texts: list[str]) -> tuple["Space", Any] | None:
        """This space, widened if necessary to hold the recipe's own value; and that value in the form that Optuna uses.

        Args:
            value: the current value of the field.
            texts: those of `probes` that mean this value, then the value itself as a text.

        Returns:
            None if a space of this kind cannot hold the value.
        """


class Numbers(Space):
    """Numbers between two ends, both included."""

    low: float = Field(description="lower end")
    high: float = Field(description="upper end")
    log: bool = Field(False, description="drawn evenly on a log scale")
    whole: bool = Field(False, description="whole numbers only")

    @validator(mode="after")
    def _check(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low = {self.low:g} is not below high = {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low = {self.low:g}: a log scale begins above 0")
        if self.whole and (self.low % 1 or self.high % 1):
            raise ValueError(f"{self.low:g} to {self.high:g}: low and high must be whole numbers")
        return self

    def suggest(self, trial: "Trial", name: str) -> str:
        if self.whole:
            return str(trial.suggest_int(name, int(self.low), int(self.high), log=self.log))
        return self._text(trial.suggest_float(name, self.low, self.high, log=self.log))

    def probes(self) -> list[str]:
        # the third value lies between the ends: a field of whole numbers accepts 15.0, but not 52.5
        middle = round(self.low + 0.38 * (self.high - self.low)) if self.whole else self.low * 0.61 + self.high * 0.39
        return [self._text(value) for value in (self.low, self.high, middle)]

    def own(self, value: Any, texts: list[str]) -> tuple[Space, Any] | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or (self.log and value <= 0):
            return None
        ends = {"low": min(self.low, value), "high": max(self.high, value)}
        return type(self)(**self.model_dump() | ends), (int(value) if self.whole else float(value))

    def _text(self, value: float) -> str:
        short = f"{value:.{DIGITS}g}"
        if self.whole:
            return str(int(value))
        return short if self.low <= float(short) <= self.high else repr(float(value))

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" + (", log" if self.log else "")


class Choice(Space):
    """One of some values, which may be specs such as `Lookahead(k=6)`."""

    values: tuple[str, ...] = Field(min_length=1, description="texts as in name=value")

    def suggest(self, trial: "Trial", name: str) -> str:
        return str(trial.suggest_categorical(name, list(self.values)))

    def probes(self) -> list[str]:
        return list(self.values)

    def own(self, value: Any, texts: list[str]) -> tuple[Space, Any] | None:
        if texts[0] in self.values:
            return self, texts[0]
        return Choice(values=(*self.values, texts[0])), texts[0]

    def __str__(self) -> str:
        return " | ".join(self.values)


def integer(low: int, high: int) -> Numbers:
    """Whole numbers from low to high."""
    return Numbers(low=low, high=high, whole=True)


def log_int(low: int, high: int) -> Numbers:
    """Whole numbers from low to high, on a log scale."""
    return Numbers(low=low, high=high, whole=True, log=True)


def number(low: float, high: float) -> Numbers:
    """Numbers from low to high."""
    return Numbers(low=low, high=high)


def log_float(low: float, high: float) -> Numbers:
    """Numbers from low to high, on a log scale."""
    return Numbers(low=low, high=high, log=True)


def choice(*values: Any) -> Choice:
    """One of these: texts, numbers, truth values, None, or specs written as in `set="minilm.optimizer=Lamb"`."""
    return Choice(values=tuple(override_text(value) for value in values))


def override_text(value: Any) -> str:
    """The text that sets this value in an override."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Spec):
        # a field with its default value is left out; one without a default is always written
        infos = type(value).model_fields.items()
        defaults = {n: ... if info.is_required() else info.get_default(call_default_factory=True) for n, info in infos}
        own = [n for n in defaults if getattr(value, n) != defaults[n]]
        inner = ",".join(f"{n}={_literal(getattr(value, n))}" for n in own)
        return f"{type(value).__name__}({inner})"
    if isinstance(value, tuple):
        return ",".join(map(override_text, value)) + ("," if len(value) == 1 else "")
    return str(value)


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return repr(value)
    return f"({','.join(map(_literal, value))},)" if isinstance(value, tuple) else override_text(value)

"""Base classes of blends that contain other blends."""

from abc import abstractmethod
from typing import ClassVar

from kit.core.spec import validator
from kit.ensemble.blend import Blend


class Composite(Blend):
    """A blend made of others, `inner`."""

    compact: ClassVar[bool] = True

    @property
    @abstractmethod
    def inner(self) -> tuple[Blend, ...]:
        """The blends inside."""

    @property
    def fixed_kind(self) -> tuple[Blend, ...]:
        """Those of `inner` whose predictions of several folds or columns are put together: they must have one scale."""
        return self.inner

    @validator(mode="after")
    def _may_stand_inside(self) -> "Composite":
        where = type(self).__name__
        for blend in self.inner:
            if blend.outermost:
                name = type(blend).__name__  # what learns from its output would learn before the shift
                raise ValueError(f"{name} stands outermost, {name}(blend={where}(…)), not inside {where}")
        for blend in self.fixed_kind:
            if blend.may_change_kind:
                raise ValueError(
                    f"Auto stands outside {where}, Auto(choices=({where}(…), …)), not inside it: it may take another "
                    "blend in each fold, and predictions of several scales would be joined as if they were of one"
                )
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for blend in self.inner for name in blend.needs))


class BlendWrapper(Composite):
    """A blend that contains one other blend; it delegates to it what it does not define itself."""

    blend: Blend

    @property
    def inner(self) -> tuple[Blend, ...]:
        return (self.blend,)

    @property
    def folds_needed(self) -> int:
        return self.blend.folds_needed

    @property
    def may_change_kind(self) -> bool:
        return self.blend.may_change_kind

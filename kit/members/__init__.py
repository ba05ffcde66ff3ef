"""Members: every kind of model behind the one interface of `kit.member`. Nothing is imported before it is used."""

from typing import TYPE_CHECKING

from kit.lazy import lazy

if TYPE_CHECKING:
    from kit.members.boost import Boost
    from kit.members.encoder import Encoder
    from kit.members.linear import Linear
    from kit.members.nbsvm import NBSVM
    from kit.members.wrap import Seeds

__all__ = ["NBSVM", "Boost", "Encoder", "Linear", "Seeds"]

__getattr__ = lazy(
    __name__, {"Boost": "boost", "Encoder": "encoder", "Linear": "linear", "NBSVM": "nbsvm", "Seeds": "wrap"}
)

"""Members: every kind of model behind the one interface of `kit.member`. Nothing is imported before it is used."""

from typing import TYPE_CHECKING

from kit.lazy import lazy

if TYPE_CHECKING:
    from kit.members.boost import Boost
    from kit.members.concat import Concat, pairs
    from kit.members.encoder import Encoder
    from kit.members.linear import Linear
    from kit.members.nbsvm import NBSVM
    from kit.members.perceptron import Perceptron
    from kit.members.textnet import TextNet, ULMFiT
    from kit.members.views import Views
    from kit.members.wrap import Seeds

__all__ = [
    "NBSVM", "Boost", "Concat", "Encoder", "Linear", "Perceptron", "Seeds", "TextNet", "ULMFiT", "Views", "pairs",
]  # fmt: skip  # fmt: skip

__getattr__ = lazy(
    __name__,
    {
        "Boost": "boost",
        "Concat": "concat",
        "Encoder": "encoder",
        "Linear": "linear",
        "NBSVM": "nbsvm",
        "Perceptron": "perceptron",
        "Seeds": "wrap",
        "TextNet": "textnet",
        "ULMFiT": "textnet",
        "Views": "views",
        "pairs": "concat",
    },
)

"""Default spaces of the kinds of member, for recipes that declare none.

Some ranges depend on the number of rows: there is one for 500 rows and one for 500,000, and between them the range is
interpolated on a log scale. With 500 rows, leaves of 200 rows allow almost no split; with 500,000 rows, leaves of 5
rows fit noise (FLAML, Wang et al. 2021, also limits leaves and trees by the number of rows). Small sets of texts need
more epochs (Mosbach et al. 2021).
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from kit.member import Member
from kit.tune.space import Numbers, Space, choice, integer, log_float, log_int, number

FEW, MANY = 500, 500_000  # numbers of rows of the two ranges in `ByRows`
UNKNOWN = 15_000  # assumed before the rows are read: about the middle, on a log scale


class ByRows(NamedTuple):
    """A range that depends on the number of train rows."""

    few: Numbers
    many: Numbers

    def at(self, rows: int) -> Numbers:
        """The range for this number of rows; below FEW or above MANY it is that of FEW or MANY."""
        place = min(1.0, max(0.0, math.log(max(1, rows) / FEW) / math.log(MANY / FEW)))
        low, high = (
            a ** (1 - place) * b**place for a, b in ((self.few.low, self.many.low), (self.few.high, self.many.high))
        )
        ends = [float(f"{end:.2g}") for end in (low, high)]
        if self.few.whole:
            ends = [float(round(end)) for end in ends]
        return self.few.model_copy(update={"low": ends[0], "high": max(ends[1], ends[0] + self.few.whole)})


# The ranges are those of published practice and wide enough to hold good values. Settings that only trade time for
# score are left out.
DEFAULTS: Mapping[str, Mapping[str, Space | ByRows]] = {
    "Linear": {
        "C": ByRows(log_float(0.05, 100), log_float(0.01, 20)),
        "balanced": choice(False, True),
        "word.min_df": ByRows(log_int(1, 4), log_int(2, 50)),
        "char.min_df": ByRows(log_int(1, 4), log_int(2, 50)),
    },
    "NBSVM": {
        "C": ByRows(log_float(0.05, 50), log_float(0.01, 10)),
        "alpha": log_float(0.001, 1),
        "beta": number(0, 1),
    },
    "Boost": {
        "trees": ByRows(log_int(10, 300), log_int(200, 4000)),
        "lr": log_float(0.01, 0.2),
        "num_leaves": ByRows(log_int(3, 31), log_int(15, 511)),
        "min_leaf": ByRows(log_int(2, 30), log_int(20, 2000)),
        "columns": number(0.3, 1),
        "rows": number(0.5, 1),
        "l2": log_float(0.01, 100),
    },
    "XGBoost": {
        "trees": ByRows(log_int(10, 300), log_int(200, 4000)),
        "lr": log_float(0.01, 0.3),
        "max_depth": ByRows(log_int(2, 6), log_int(3, 12)),
        "min_child_weight": log_float(0.001, 100),
        "columns": number(0.3, 1),
        "rows": number(0.5, 1),
        "l2": log_float(0.01, 100),
    },
    "CatBoost": {
        "trees": ByRows(log_int(10, 300), log_int(200, 4000)),
        "lr": log_float(0.01, 0.3),
        "depth": ByRows(log_int(2, 6), log_int(4, 10)),
        "rows": number(0.5, 1),
        "l2": log_float(0.1, 100),
        "random_strength": log_float(0.01, 10),
    },
    "Encoder": {
        "stage.epochs": ByRows(log_int(3, 20), log_int(1, 3)),
        "stage.lr": log_float(1e-5, 3e-4),
        "stage.head_lr": log_float(1e-4, 1e-2),
        "stage.layer_decay": number(0.6, 1),
        "stage.warmup": number(0, 0.3),
        "batch_tokens": ByRows(log_int(512, 4096), log_int(2048, 16_384)),
        "dropout": number(0, 0.4),
        "pool": choice("cls", "mean", "attention", "max"),
    },
    "TextNet": {
        "stage.epochs": ByRows(log_int(5, 40), log_int(1, 6)),
        "stage.lr": log_float(2e-4, 5e-3),
        "batch_tokens": ByRows(log_int(1024, 8192), log_int(8192, 65_536)),
        "min_count": ByRows(integer(1, 3), integer(2, 30)),
        "dropout": number(0, 0.6),
        "word_dropout": number(0, 0.4),
        "vector_dropout": number(0, 0.5),
        "width": ByRows(log_int(25, 150), log_int(100, 400)),
    },
    "Perceptron": {
        "stage.epochs": ByRows(log_int(20, 200), log_int(2, 20)),
        "stage.lr": log_float(3e-4, 1e-2),
        "stage.weight_decay": number(0, 0.1),
        "batch_rows": ByRows(log_int(16, 128), log_int(256, 4096)),
        "dropout": number(0, 0.6),
        "hidden": choice("64,", "128,", "256,", "128,64", "256,128"),
        "numbers": choice("none", "PiecewiseLinear", "Periodic", "PBLD"),
    },
    "RealMLP": {
        "stage.lr": log_float(0.02, 0.3),
        "stage.weight_decay": log_float(0.001, 0.1),
        "dropout": choice(0.0, 0.15, 0.3),
        "numbers.sigma": log_float(0.02, 10),
        "hidden": choice("64,64,64", "256,256,256", "512,"),
        "activation": choice("selu", "mish", "relu"),
    },
    "TabM": {
        "stage.lr": log_float(3e-4, 5e-3),
        "stage.weight_decay": log_float(1e-4, 0.1),
        "dropout": number(0, 0.5),
        "blocks": integer(1, 4),
        "width": log_int(64, 512),
        "numbers.bins": integer(4, 96),
        "numbers.width": integer(4, 32),
    },
    "FTTransformer": {
        "stage.lr": log_float(3e-5, 2e-3),
        "stage.weight_decay": log_float(1e-6, 1e-3),
        "layers": integer(1, 4),
        "dropout": number(0, 0.5),
        "attention_dropout": number(0, 0.5),
    },
    "TabularResNet": {
        "stage.lr": log_float(3e-4, 5e-3),
        "stage.weight_decay": log_float(1e-6, 1e-2),
        "blocks": integer(1, 6),
        "width": log_int(64, 512),
        "dropout": number(0, 0.5),
        "residual_dropout": number(0, 0.3),
    },
    "Concat": {
        "stage.epochs": ByRows(log_int(3, 20), log_int(1, 3)),
        "stage.lr": log_float(1e-5, 1e-3),
        "stage.head_lr": log_float(1e-4, 1e-2),
        "dropout": number(0, 0.5),
    },
    "Network": {
        "stage.epochs": ByRows(log_int(3, 40), log_int(1, 6)),
        "stage.lr": log_float(1e-5, 1e-2),
        "dropout": number(0, 0.5),
    },
}


def default_space(member: Member, rows: int = UNKNOWN) -> dict[str, Space]:
    """Setting of the member → space, from the first of its base classes in the table. Wrappers use the inner member's.

    The number of trees is searched only without early stopping.

    Args:
        member: the member to search.
        rows: number of train rows.

    Returns:
        Empty for a kind that is not in the table.
    """
    for cls in type(member).__mro__:
        if cls.__name__ in DEFAULTS and cls.__module__.startswith("kit."):
            stops = getattr(member, "patience", None) is not None
            knobs = {name: space for name, space in DEFAULTS[cls.__name__].items() if not (name == "trees" and stops)}
            return {name: space.at(rows) if isinstance(space, ByRows) else space for name, space in knobs.items()}
    inner = getattr(member, "member", None)
    if isinstance(inner, Member):
        return {f"member.{name}": space for name, space in default_space(inner, rows).items()}
    return {}

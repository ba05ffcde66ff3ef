"""Where a member is searched if its recipe declares nothing: a table by kind, names below the member."""

from collections.abc import Mapping

from kit.member import Member
from kit.tune.space import Space, choice, integer, log_float, log_int, number

# Ends are those of published practice, wide enough to hold what wins, and no knob that only buys score with time.
DEFAULTS: Mapping[str, Mapping[str, Space]] = {
    "Linear": {
        "C": log_float(0.05, 50),
        "balanced": choice(False, True),
        "word.min_df": integer(1, 10),
        "char.min_df": integer(1, 10),
    },
    "NBSVM": {"C": log_float(0.05, 20), "alpha": log_float(0.001, 1), "beta": number(0, 1)},
    "Boost": {
        "lr": log_float(0.01, 0.2),
        "num_leaves": log_int(7, 255),
        "min_leaf": log_int(5, 200),
        "columns": number(0.3, 1),
        "rows": number(0.5, 1),
        "l2": log_float(0.01, 100),
    },
    "Encoder": {
        "stage.lr": log_float(1e-5, 3e-4),
        "stage.head_lr": log_float(1e-4, 1e-2),
        "stage.layer_decay": number(0.6, 1),
        "stage.warmup": number(0, 0.3),
        "dropout": number(0, 0.4),
        "pool": choice("cls", "mean", "attention", "max"),
    },
    "TextNet": {
        "stage.lr": log_float(2e-4, 5e-3),
        "dropout": number(0, 0.6),
        "word_dropout": number(0, 0.4),
        "vector_dropout": number(0, 0.5),
        "width": log_int(50, 300),
    },
    "Perceptron": {
        "stage.lr": log_float(3e-4, 1e-2),
        "stage.weight_decay": number(0, 0.1),
        "dropout": number(0, 0.6),
        "hidden": choice("64,", "128,", "256,", "128,64", "256,128"),
    },
    "Concat": {
        "stage.lr": log_float(1e-5, 1e-3),
        "stage.head_lr": log_float(1e-4, 1e-2),
        "dropout": number(0, 0.5),
    },
    "Network": {"stage.lr": log_float(1e-5, 1e-2), "dropout": number(0, 0.5)},
}


def default_space(member: Member) -> dict[str, Space]:
    """Knob below the member → space, by the nearest class of the table; a member made of a member is searched inside.

    Empty for a kind that the table does not know.
    """
    for cls in type(member).__mro__:
        if cls.__name__ in DEFAULTS and cls.__module__.startswith("kit."):
            return dict(DEFAULTS[cls.__name__])
    inner = getattr(member, "member", None)
    if isinstance(inner, Member):
        return {f"member.{name}": space for name, space in default_space(inner).items()}
    return {}

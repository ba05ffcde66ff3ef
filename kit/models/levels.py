"""Which of a network's parameters lie below which others."""

from typing import Any

from torch import nn

Levels = tuple[str | tuple[str, ...], ...]


def levels_of(net: Any) -> list[tuple[str, ...]]:
    """The levels of a network from the lowest to the top one, each as the names of its modules and parameters.

    A network says them in `levels`: what the text goes through first comes first, a tuple holds what lies side by side,
    and a list of modules is as many levels as it has modules. What `levels` does not name goes with the top level, such
    as the norm or pooling after the last layer. Without `levels` the network is one level.
    """
    found: list[tuple[str, ...]] = []
    for level in getattr(net, "levels", ()):
        names = (level,) if isinstance(level, str) else level
        modules = getattr(net, names[0], None)
        if len(names) == 1 and isinstance(modules, nn.ModuleList):
            found += [(f"{names[0]}.{i}",) for i in range(len(modules))]
        else:
            found.append(names)
    held = [name for name, _ in net.named_parameters()]
    return [level for level in found if any(_within(name, level) for name in held)] or [()]


def height(levels: list[tuple[str, ...]], name: str) -> int:
    """The level of a parameter, by its name in the network: 0 is the lowest one."""
    return next((i for i, level in enumerate(levels) if _within(name, level)), len(levels) - 1)


def _within(name: str, level: tuple[str, ...]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in level)

"""The commands. The only room that finds competitions; each command imports what it needs when it is called."""

from kit.cli.entry import main
from kit.cli.opening import find_recipe

__all__ = ["find_recipe", "main"]

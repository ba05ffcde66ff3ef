"""Recipe as notebooks import it: the class of `kit.recipe`, with `open_recipe` as its method `open`."""

from typing import TYPE_CHECKING, ClassVar

from kit.recipe import Recipe as RecipeOfKit
from kit.session.opening import open_recipe

if TYPE_CHECKING:  # type checkers and editors do not follow an assignment to another module's class

    class Recipe(RecipeOfKit):
        """A competition's task, rows, folds and members in one class; see `kit.recipe`."""

        open: ClassVar = open_recipe

else:
    Recipe = RecipeOfKit
    Recipe.open = open_recipe

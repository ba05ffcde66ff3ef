"""TabICL: a pretrained Transformer of tables."""

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from kit.core.errors import KitError
from kit.members.tabular.pretrained import InContext, Part


class TabICL(InContext):
    """In-context learning of tables (Qu et al. 2025). Package and weights have the BSD licence.

    It learns nothing, so a fit takes no time, and a prediction reads all train rows again: minutes for some thousands
    of them on a CPU.
    """

    extra: ClassVar[str] = "tabicl"
    source: ClassVar[str] = "huggingface.co/jingang/TabICL"

    weights: str = Field("tabicl", description="file of weights, its folder, or the name of a folder in $KIT_WEIGHTS")

    def build(self, kind: Part, path: Path) -> Any:
        try:
            import tabicl
        except ImportError:
            raise KitError(f"TabICL needs the package tabicl: pip install 'kit[{self.extra}]'") from None
        made = tabicl.TabICLClassifier if kind == "classifier" else tabicl.TabICLRegressor
        return made(
            n_estimators=self.estimators, model_path=str(path), allow_auto_download=False, random_state=self.seed
        )

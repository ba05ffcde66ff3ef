"""TabPFN: a pretrained Transformer of tables, whose weights have a licence of their own."""

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from kit.core.errors import KitError
from kit.members.tabular.pretrained import InContext, Part
from kit.task import Task

LICENCE = (
    "TabPFN's weights have the Prior Labs License: Apache 2.0 with a duty of attribution (version 2), or for "
    "non-commercial use alone (later versions); read it at huggingface.co/Prior-Labs, then set accept_licence=true"
)


class TabPFN(InContext):
    """A prior-data fitted network (Hollmann et al. 2025); for up to about 10,000 rows and 500 columns."""

    extra: ClassVar[str] = "tabpfn"
    source: ClassVar[str] = "huggingface.co/Prior-Labs"

    weights: str = Field("tabpfn", description="file of weights, its folder, or the name of a folder in $KIT_WEIGHTS")
    accept_licence: bool = Field(False, description="whether you have read and accept the licence of the weights")

    def model(self, task: Task) -> Any:
        if not self.accept_licence:
            raise KitError(LICENCE)
        return super().model(task)

    def build(self, kind: Part, path: Path) -> Any:
        try:
            import tabpfn
        except ImportError:
            raise KitError(f"TabPFN needs the package tabpfn: pip install 'kit[{self.extra}]'") from None
        made = tabpfn.TabPFNClassifier if kind == "classifier" else tabpfn.TabPFNRegressor
        return made(
            n_estimators=self.estimators,
            model_path=str(path),
            ignore_pretraining_limits=True,
            random_state=self.seed,
        )

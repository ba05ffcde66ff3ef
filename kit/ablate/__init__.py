"""Ablation: what each technique really gives, switched on (or off) one at a time, paired over folds and seeds."""

from kit.ablate.ablate import Ablation, Row, ablate
from kit.ablate.arms import Arm, arms_of
from kit.ablate.race import Race
from kit.ablate.table import markdown, table
from kit.ablate.techniques import TECHNIQUES

__all__ = ["TECHNIQUES", "Ablation", "Arm", "Race", "Row", "ablate", "arms_of", "markdown", "table"]

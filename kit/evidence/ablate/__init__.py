"""Ablation: the gain of each technique, switched on (or off) one at a time, paired over folds and seeds."""

from kit.evidence.ablate.ablate import Ablation, Row, ablate
from kit.evidence.ablate.arms import Arm, arms_of
from kit.evidence.ablate.race import Race
from kit.evidence.ablate.table import markdown, table
from kit.evidence.ablate.techniques import TECHNIQUES

__all__ = ["TECHNIQUES", "Ablation", "Arm", "Race", "Row", "ablate", "arms_of", "markdown", "table"]

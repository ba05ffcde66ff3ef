"""What a person sees of a run."""

from kit.report.leaderboard import leaderboard
from kit.report.progress import Progress

__all__ = ["Progress", "leaderboard"]

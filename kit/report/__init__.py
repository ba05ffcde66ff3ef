"""Reports of a run: progress, leaderboard, the report page, tracking tools."""

from kit.report.leaderboard import leaderboard
from kit.report.progress import Progress

__all__ = ["Progress", "leaderboard"]

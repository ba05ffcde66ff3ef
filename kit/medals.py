"""Medals: what is known of a competition's private leaderboard. A recipe may state its own as `medals`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Medals:
    """Facts of a leaderboard that has closed.

    Attributes:
        teams: on the private leaderboard.
        winner: the best private score; None where it is not known.
        gold: the private score that the last gold medal had; None where it is not known.
        silver: likewise.
        bronze: likewise.
        split: which rows the private leaderboard was judged on.
    """

    teams: int
    winner: float | None = None
    gold: float | None = None
    silver: float | None = None
    bronze: float | None = None
    split: str = "the private part of Kaggle's test rows"

    @property
    def ranks(self) -> dict[str, int]:
        """The last rank of each medal by Kaggle's progression rules, which depend on the number of teams."""
        n = self.teams
        gold = n // 10 if n < 100 else 10 if n < 250 else 10 + n // 500
        if n < 250:
            return {"gold": gold, "silver": n // 5, "bronze": n * 2 // 5}
        if n < 1000:
            return {"gold": gold, "silver": 50, "bronze": 100}
        return {"gold": gold, "silver": n // 20, "bronze": n // 10}

    @property
    def lines(self) -> dict[str, float]:
        """Scores that are known, by name."""
        named = {"winner": self.winner, "gold": self.gold, "silver": self.silver, "bronze": self.bronze}
        return {name: score for name, score in named.items() if score is not None}


# slug → facts that are certain from the public record; what is not stays out
MEDALS = {
    "jigsaw-toxic-comment-classification-challenge": Medals(
        teams=4551, winner=0.9885, split="the private part of the 63,978 test rows that were scored, of 153,164"
    ),
}

CAVEAT = (
    "These are scores of the private leaderboard, on other rows than your folds: a cross-validated score near a line "
    "says little, one's own distance between folds and leaderboard says more. Thresholds that are not listed are not "
    "known to kit; state them in the recipe: medals = Medals(teams=…, gold=…, silver=…, bronze=…)."
)

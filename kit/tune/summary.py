"""What a search says when it is over."""

from kit.tune.tuning import Tuned


def summary(tuned: Tuned) -> list[str]:
    """Sentences for people: the winner, its gain where it was chosen and elsewhere, so how optimistic that is."""
    counts = {state: sum(t["state"] == state for t in tuned.trials) for state in ("complete", "pruned", "refused")}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    lines = [f"{tuned.member}: {len(tuned.trials)} trials ({told})"]
    if tuned.best is None:
        return [*lines, "no trial could be judged to its end", *tuned.notes]
    where = f"fold {tuned.folds[0]}" if len(tuned.folds) == 1 else f"folds {','.join(map(str, tuned.folds))}"
    beside = f"; the recipe's own settings {tuned.own['score']:.5f}, so {tuned.gain:+.5f}" if tuned.own else ""
    lines.append(f"best: trial {tuned.best['number']} with {tuned.metric} {tuned.best['score']:.5f} on {where}{beside}")
    if tuned.best["own"]:
        return [*lines, "nothing that was tried beats the recipe's own settings", *tuned.notes]
    lines.append("it was chosen on these very folds, so its score is optimistic")
    if (again := tuned.rescored) is not None:
        n, plans = len(again.winner), "other fold plans and seeds" if again.drawn else "other seeds, on the same folds"
        winner, own = sum(again.winner) / n, sum(again.own) / n
        lines[-1] = (
            f"scored again on {n} {plans}: {winner:.5f} against {own:.5f}, so {again.gain} (95 % over rows, "
            f"p {again.gain.p:.3g}); the gain was overstated by {tuned.gain - again.gain.value:+.5f}"
        )
        if not again.gain.low > 0:
            lines.append("that is no sure gain: the recipe's own settings may be as good")
    return [*lines, *tuned.notes]

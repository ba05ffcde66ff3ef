"""The result of a search, in sentences."""

from kit.tune.tuning import Tuned


def summary(tuned: Tuned) -> list[str]:
    """Sentences to show: the winner and its gain: on the folds that chose it, on other folds, on held-out rows."""
    counts = {state: sum(t["state"] == state for t in tuned.trials) for state in ("complete", "pruned", "refused")}
    ended = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    lines = [f"{tuned.member}: {len(tuned.trials)} trials ({ended})"]
    if tuned.best is None:
        return [*lines, "no trial could be scored", *tuned.notes]
    where = f"fold {tuned.folds[0]}" if len(tuned.folds) == 1 else f"folds {','.join(map(str, tuned.folds))}"
    beside = f"; the recipe's own settings {tuned.own['score']:.5f}, so {tuned.gain:+.5f}" if tuned.own else ""
    lines.append(f"best: trial {tuned.best['number']} with {tuned.metric} {tuned.best['score']:.5f} on {where}{beside}")
    if tuned.best["own"]:
        return [*lines, "nothing that was tried beats the recipe's own settings", *tuned.notes]
    lines.append("it was chosen by its score on these rows, so the score is optimistic")
    if (again := tuned.rescored) is not None:
        n, plans = len(again.winner), "other fold plans and seeds" if again.drawn else "other seeds, on the same folds"
        winner, own = sum(again.winner) / n, sum(again.own) / n
        lines.append(
            f"scored again on {n} {plans}: {winner:.5f} against {own:.5f}, so {again.gain} (95 % over rows); luck with "
            f"{'folds and seeds' if again.drawn else 'seeds'}: {tuned.gain - again.gain.value:+.5f}"
        )
    if (held := tuned.unseen) is None:
        lines.append("luck with these rows does not show here; holdout=0.2 leaves a fifth of them out to measure it")
    else:
        lines.append(
            f"on {held.rows:,} rows held out, which no trial has seen: {held.winner:.5f} against {held.own:.5f}, so "
            f"{held.gain} (95 % over rows, p {held.gain.p:.3g})"
        )
        if not held.gain.low > 0:
            lines.append("that gain is not significant: the recipe's own settings may be as good")
    return [*lines, *tuned.notes]

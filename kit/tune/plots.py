"""Pictures of a search: its history, and which settings the score depends on."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.tune.results import TrialResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from optuna import Study

LEAST = 4  # complete trials; with fewer, an importance would mean nothing


def importances(study: "Study", seed: int = 0) -> dict[str, float]:
    """Setting → share of the score's variance (fANOVA, Hutter et al. 2014); empty with too few trials."""
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(done) < LEAST or len({trial.value for trial in done}) == 1:
        return {}
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))


def draw(
    folder: Path, trials: list[TrialResult], shares: dict[str, float], metric: str, greater_is_better: bool, member: str
) -> list[Path]:
    """Writes history.png, and importance.png if shares are known."""
    written = [_page(folder / "history.png", 4.0, lambda ax: _history(ax, trials, metric, greater_is_better))]
    if shares:
        written.append(
            _page(folder / "importance.png", 1.4 + 0.35 * len(shares), lambda ax: _shares(ax, shares, member))
        )
    return written


def _page(path: Path, height: float, fill: Any) -> Path:
    from matplotlib.figure import Figure

    from kit.core.files import replacing

    figure = Figure(figsize=(7, height), layout="constrained")
    fill(figure.add_subplot())
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    return path


def _history(ax: "Axes", trials: list[TrialResult], metric: str, greater_is_better: bool) -> None:
    done = [t for t in trials if t["state"] == "complete"]
    numbers, values = [t["number"] for t in done], [t["score"] for t in done]
    top = [(max if greater_is_better else min)(values[: i + 1]) for i in range(len(values))]
    ax.scatter(numbers, values, s=18, label="trial")
    ax.step(numbers, top, where="post", color="tab:orange", label="best so far")
    if own := [t for t in done if t["own"]]:
        ax.axhline(own[0]["score"], color="grey", linestyle="--", linewidth=1, label="the recipe's own settings")
    if pruned := [t["number"] for t in trials if t["state"] == "pruned"]:
        ax.plot(pruned, [0.02] * len(pruned), "|", color="grey", transform=ax.get_xaxis_transform(), label="pruned")
    ax.set(xlabel="trial", ylabel=f"{metric}, out of fold")
    ax.legend(fontsize=8)


def _shares(ax: "Axes", shares: dict[str, float], member: str) -> None:
    rising = list(shares.items())[::-1]
    bars = ax.barh([name.removeprefix(f"{member}.") for name, _ in rising], [share for _, share in rising])
    ax.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
    ax.set(xlabel="share of the score's variance (fANOVA)", xlim=(0, 1.08 * max(shares.values())))

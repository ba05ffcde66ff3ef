"""Leave-one-out: how much worse a blend is without each of its members."""

from collections.abc import Iterator, Sequence

import numpy as np

from kit.ensemble.blend import Blend
from kit.ensemble.decide.threshold import decide_folds
from kit.ensemble.nested import FEWER, MANY, ROUNDS, NestedScore, nested
from kit.ensemble.oof import OutOfFold
from kit.metrics.intervals import Difference, difference, resampled


def left_out(
    blend: Blend, oof: OutOfFold, members: Sequence[str] | None = None, whole: NestedScore | None = None
) -> Iterator[tuple[str, Difference]]:
    """What each member adds, one member after another. All blends are scored on the same resamples.

    Args:
        blend: the blend.
        oof: out-of-fold predictions with a plan, as for `nested`.
        members: members that are left out, one at a time; None: all.
        whole: the nested score with all members, if it is known.

    Yields:
        Member, and how much better the nested score is with it than without it, with a paired 95 % interval. Nothing if
        there is only one member, or only one fold.
    """
    if whole is None and len(oof.names) > 1:
        whole = nested(blend, oof, rounds=0)
    if whole is None or oof.plan is None:
        return
    decided, decisions = decide_folds(oof.metric, whole.predictions, oof.plan, whole.thresholds)
    rounds = ROUNDS if oof.y.size < MANY else FEWER
    drawn = resampled(decided, oof.y, [decisions], rounds, groups=oof.groups)[:, 0]
    for name in oof.names if members is None else members:
        without = nested(blend, oof.without(name), rounds=0)
        assert without is not None
        rival = decide_folds(oof.metric, without.predictions, oof.plan, without.thresholds)[1]
        others = resampled(decided, oof.y, [rival], rounds, groups=oof.groups)[:, 0]  # same seed, same resamples
        yield name, difference(oof.metric, (whole.score, without.score), np.column_stack([drawn, others]))

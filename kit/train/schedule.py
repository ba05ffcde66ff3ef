"""Learning-rate schedules: stateless, told the step."""

import math


def factor(schedule: str, step: int, total: int, warmup: float = 0.0) -> float:
    """Share of the peak learning rate that step `step` (from 0) of `total` uses.

    Warmup rises linearly and reaches 1 at its last step, so that no step is wasted at rate zero (Goyal et al. 2017);
    then `linear` falls to zero, `cosine` follows half a cosine (Loshchilov & Hutter 2017), `constant` stays.
    """
    rising = math.ceil(warmup * total - 1e-9)  # 0.07 · 100 is a hair above 7
    if step < rising:
        return (step + 1) / rising
    left = (total - step) / max(1, total - rising)
    if schedule == "constant":
        return 1.0
    if schedule == "linear":
        return left
    if schedule == "cosine":
        return 0.5 * (1 - math.cos(math.pi * left))
    raise ValueError(f"no schedule is called '{schedule}'; there are: constant, linear, cosine")

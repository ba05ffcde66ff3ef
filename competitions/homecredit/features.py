"""Numbers about an application that its readers compute: how large the loan is for this income, how scores agree."""

import numpy as np

from kit import Features
from kit.source import Source
from kit.task import Task

NEVER = 365243  # days: who has no job
SCORES = ("EXT_SOURCE_1", "EXT_SOURCE_2", "EXT_SOURCE_3")
# name: numerator, denominator
RATIOS = {
    "years of payments": ("AMT_CREDIT", "AMT_ANNUITY"),
    "credit / income": ("AMT_CREDIT", "AMT_INCOME_TOTAL"),
    "annuity / income": ("AMT_ANNUITY", "AMT_INCOME_TOTAL"),
    "goods / credit": ("AMT_GOODS_PRICE", "AMT_CREDIT"),
    "employed / age": ("DAYS_EMPLOYED", "DAYS_BIRTH"),
    "phone / age": ("DAYS_LAST_PHONE_CHANGE", "DAYS_BIRTH"),
    "car / age": ("OWN_CAR_AGE", "DAYS_BIRTH"),
    "income / family": ("AMT_INCOME_TOTAL", "CNT_FAM_MEMBERS"),
}


class Application(Features):
    """Ratios of amounts and of times, statistics of the external scores, how much of the application is missing."""

    def compute(self, source: Source, task: Task) -> np.ndarray:
        frame = source.frame
        numbers = frame.select_dtypes("number").replace({"DAYS_EMPLOYED": {NEVER: np.nan}})
        scores = numbers[list(SCORES)]
        ratios = [numbers[a] / numbers[b].replace(0, np.nan) for a, b in RATIOS.values()]
        others = [scores.mean(axis=1), scores.min(axis=1), scores.max(axis=1), scores.std(axis=1), scores.prod(axis=1)]
        return np.column_stack([*ratios, *others, frame.isna().sum(axis=1)]).astype(np.float32)

    def names(self, rows: object) -> list[str]:
        return [
            *RATIOS,
            *(f"{how} of external scores" for how in ("mean", "min", "max", "std", "product")),
            "missing cells",
        ]

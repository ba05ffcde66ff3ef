"""Invented clients of the embedded sample, and their applications."""

from typing import Any

import numpy as np
import pandas as pd

NEVER = 365243  # days
BUILDING = [
    *["APARTMENTS", "BASEMENTAREA", "YEARS_BEGINEXPLUATATION", "YEARS_BUILD", "COMMONAREA", "ELEVATORS", "ENTRANCES"],
    *["FLOORSMAX", "FLOORSMIN", "LANDAREA", "LIVINGAPARTMENTS", "LIVINGAREA", "NONLIVINGAPARTMENTS", "NONLIVINGAREA"],
]
WEEKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
MOVES = ["REG_REGION_NOT_LIVE_REGION", "REG_REGION_NOT_WORK_REGION", "LIVE_REGION_NOT_WORK_REGION",
         "REG_CITY_NOT_LIVE_CITY", "REG_CITY_NOT_WORK_CITY", "LIVE_CITY_NOT_WORK_CITY"]  # fmt: skip
SUITES = ["Unaccompanied", "Family", "Spouse, partner", "Children", "Other_B"]
Drawn = dict[str, Any]


class Clients:
    """Draws clients; what is drawn later depends on what was drawn before."""

    def __init__(self, clients: int, seed: int) -> None:
        self.dice = np.random.RandomState(seed)
        self.ids = 100_001 + self.dice.permutation(clients * 3)[:clients]
        self.seen, self.hidden = self.dice.normal(size=clients), self.dice.normal(size=clients)

    def pick(self, n: int, **shares: float) -> np.ndarray:
        """n words, as often as these shares say; a blank is written as two underlines."""
        words = np.array([word.replace("__", " ") for word in shares], dtype=object)
        weights = np.array([*shares.values()])
        return words[np.searchsorted(np.cumsum(weights / weights.sum()), self.dice.rand(n) * 0.999999)]

    def gaps(self, values: Any, share: float) -> np.ndarray:
        """The values as floats or words, some of them missing."""
        values = np.asarray(values)
        kind = object if values.dtype == object else float
        return np.where(self.dice.rand(len(values)) < share, None if kind is object else np.nan, values.astype(kind))

    def days(self, n: int, least: int, most: int) -> np.ndarray:
        """n days before the application, negative."""
        return -self.dice.randint(least, most, n)

    def money(self, n: int, middle: float, spread: float = 0.6) -> np.ndarray:
        """n amounts, in steps of 4.5 as in Kaggle's files."""
        return np.round(np.exp(self.dice.normal(np.log(middle), spread, n)) / 4.5) * 4.5

    def applications(self) -> pd.DataFrame:
        """The clients, one row each, with TARGET."""
        n, dice, risk = len(self.ids), self.dice, self.seen
        retired = dice.rand(n) < 0.18
        credit = self.money(n, 500_000)
        goods = np.round(credit * 0.9 / 45_000) * 45_000
        columns: Drawn = {"SK_ID_CURR": self.ids}
        chance = 1 / (1 + np.exp(-(-3.0 + 1.1 * risk + 1.3 * self.hidden)))
        columns["TARGET"] = (dice.rand(n) < chance).astype(int)
        columns["NAME_CONTRACT_TYPE"] = self.pick(n, Cash__loans=9, Revolving__loans=1)
        columns["CODE_GENDER"] = self.pick(n, F=660, M=339, XNA=1)
        columns["FLAG_OWN_CAR"] = self.pick(n, N=2, Y=1)
        columns["FLAG_OWN_REALTY"] = self.pick(n, Y=7, N=3)
        columns["CNT_CHILDREN"] = dice.choice([0, 1, 2, 3], n, p=[0.7, 0.2, 0.09, 0.01])
        columns["AMT_INCOME_TOTAL"] = self.money(n, 150_000, 0.45)
        columns["AMT_CREDIT"] = credit
        columns["AMT_ANNUITY"] = np.round(credit / dice.uniform(12, 32, n) / 4.5) * 4.5
        columns["AMT_GOODS_PRICE"] = goods
        columns["NAME_TYPE_SUITE"] = self.gaps(dice.choice(np.array(SUITES, object), n), 0.01)
        columns["NAME_INCOME_TYPE"] = np.where(
            retired, "Pensioner", self.pick(n, Working=6, Commercial__associate=3, State__servant=1)
        )
        columns["NAME_EDUCATION_TYPE"] = np.where(
            dice.rand(n) < 0.3 - 0.08 * risk, "Higher education", "Secondary / secondary special"
        )
        columns["NAME_FAMILY_STATUS"] = self.pick(n, Married=6, Civil__marriage=1, Separated=1, Widow=1)
        columns["NAME_HOUSING_TYPE"] = self.pick(
            n, Municipal__apartment=1, With__parents=1, Rented__apartment=1, Office__apartment=1
        )
        columns["NAME_HOUSING_TYPE"] = np.where(dice.rand(n) < 0.88, "House / apartment", columns["NAME_HOUSING_TYPE"])
        columns["REGION_POPULATION_RELATIVE"] = np.round(dice.uniform(0.001, 0.05, n), 6)
        columns["DAYS_BIRTH"] = -np.clip(
            15_500 - 1_500 * risk + dice.normal(0, 3_500, n) + 6_000 * retired, 7_500, 25_000
        ).astype(int)
        columns["DAYS_EMPLOYED"] = np.where(
            retired, NEVER, -(np.exp(dice.normal(7.2 - 0.25 * risk, 0.9, n))).astype(int).clip(1, 7_000)
        )
        columns["DAYS_REGISTRATION"] = self.days(n, 1, 15_000).astype(float)
        columns["DAYS_ID_PUBLISH"] = self.days(n, 1, 6_000)
        columns["OWN_CAR_AGE"] = np.where(columns["FLAG_OWN_CAR"] == "Y", dice.randint(0, 30, n).astype(float), np.nan)
        phones = {
            "FLAG_MOBIL": 1,
            "FLAG_EMP_PHONE": 0.82,
            "FLAG_WORK_PHONE": 0.2,
            "FLAG_CONT_MOBILE": 0.998,
            "FLAG_PHONE": 0.28,
            "FLAG_EMAIL": 0.06,
        }
        columns |= {name: (dice.rand(n) < share).astype(int) for name, share in phones.items()}
        work = self.pick(
            n, Laborers=26, Sales__staff=15, Core__staff=13, Managers=10, Drivers=9, Accountants=5, IT__staff=1
        )
        columns["OCCUPATION_TYPE"] = np.where(retired, None, self.gaps(work, 0.16))
        columns["CNT_FAM_MEMBERS"] = columns["CNT_CHILDREN"] + 1.0 + (columns["NAME_FAMILY_STATUS"] == "Married")
        rating = np.clip(np.round(2 + 0.35 * risk + dice.normal(0, 0.4, n)), 1, 3).astype(int)
        columns |= {"REGION_RATING_CLIENT": rating, "REGION_RATING_CLIENT_W_CITY": rating}
        columns["WEEKDAY_APPR_PROCESS_START"] = dice.choice(np.array(WEEKDAYS, object), n)
        columns["HOUR_APPR_PROCESS_START"] = np.clip(dice.normal(12, 3, n), 0, 23).astype(int)
        columns |= {name: (dice.rand(n) < 0.05 + 0.03 * i).astype(int) for i, name in enumerate(MOVES)}
        kinds = [f"Business Entity Type {i}" for i in (1, 2, 3)] + [f"Industry: type {i}" for i in range(1, 14)]
        kinds += ["Self-employed", "Medicine", "School", "Government", "Trade: type 7", "Kindergarten", "Other"]
        columns["ORGANIZATION_TYPE"] = np.where(retired, "XNA", dice.choice(np.array(kinds, object), n))
        for name, clear, share in (
            ("EXT_SOURCE_1", 0.9, 0.56),
            ("EXT_SOURCE_2", 0.8, 0.002),
            ("EXT_SOURCE_3", 0.9, 0.2),
        ):
            score = 1 / (1 + np.exp(-(0.2 - clear * risk + dice.normal(0, 1.1, n))))
            columns[name] = self.gaps(np.round(score, 16), share)
        known = dice.rand(n) < 0.45
        for ending in ("AVG", "MODE", "MEDI"):
            columns |= {
                f"{name}_{ending}": np.where(known, np.round(dice.beta(2, 12, n), 4), np.nan) for name in BUILDING
            }
        columns["FONDKAPREMONT_MODE"] = np.where(
            known, self.pick(n, reg__oper__account=8, org__spec__account=1, not__specified=1), None
        )
        columns["HOUSETYPE_MODE"] = np.where(known, "block of flats", None)
        columns["TOTALAREA_MODE"] = np.where(known, np.round(dice.beta(2, 12, n), 4), np.nan)
        columns["WALLSMATERIAL_MODE"] = np.where(
            known, dice.choice(np.array(["Panel", "Stone, brick", "Block"], object), n), None
        )
        columns["EMERGENCYSTATE_MODE"] = np.where(known, self.pick(n, No=99, Yes=1), None)
        around = dice.poisson(1.4, n).astype(float)
        bad = dice.binomial(around.astype(int), np.clip(0.08 + 0.03 * risk, 0, 1)).astype(float)
        columns |= {"OBS_30_CNT_SOCIAL_CIRCLE": around, "DEF_30_CNT_SOCIAL_CIRCLE": bad}
        columns |= {"OBS_60_CNT_SOCIAL_CIRCLE": around, "DEF_60_CNT_SOCIAL_CIRCLE": np.minimum(bad, 1)}
        columns["DAYS_LAST_PHONE_CHANGE"] = (
            -np.clip(dice.exponential(900, n) - 60 * risk, 0, 4_000).astype(int).astype(float)
        )
        columns |= {f"FLAG_DOCUMENT_{i}": (dice.rand(n) < (0.7 if i == 3 else 0.01)).astype(int) for i in range(2, 22)}
        asked = dice.rand(n) < 0.13
        for name, rate in {"HOUR": 0.01, "DAY": 0.01, "WEEK": 0.03, "MON": 0.3, "QRT": 0.3, "YEAR": 1.9}.items():
            columns[f"AMT_REQ_CREDIT_BUREAU_{name}"] = np.where(asked, np.nan, dice.poisson(rate, n).astype(float))
        return pd.DataFrame(columns)

    def several(self, mean: float, without: float) -> tuple[np.ndarray, int]:
        """Positions of the clients of rows, several of one client, none of some; and how many rows."""
        n = len(self.ids)
        counts = np.where(self.dice.rand(n) < without, 0, 1 + self.dice.poisson(mean - 1, n))
        of = self.dice.permutation(np.repeat(np.arange(n), counts))
        return of, len(of)

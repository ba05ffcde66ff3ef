"""Invented files of Home Credit in Kaggle's own form: applications and six side tables whose keys join.

Nothing here is a real client. What a model meets is as awkward as the real files: 365243 days for "never", XNA and XAP
for "not known", clients without any earlier loan, loans without a balance, payments that never came.

Whether a client has difficulties depends on two hidden numbers. The application shows the one (external scores, age,
income); earlier loans, refusals and late payments show the other. So side tables know what the application does not.

The bytes depend on the seed alone: the generator is one whose stream is promised never to change
(`numpy.random.RandomState`).
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd

from competitions.homecredit.clients import NEVER, SUITES, WEEKDAYS, Clients, Drawn


class Lender(Clients):
    """Draws the clients' earlier loans and what became of them."""

    def bureau(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Loans at other lenders, and the months of two in three of them."""
        of, n = self.several(4.0, 0.15)
        risk, dice = self.hidden[of], self.dice
        started = self.days(n, 30, 2_900)
        length = dice.randint(90, 1_800, n)
        active = started + length > 0
        total = self.money(n, 150_000, 0.9)
        late = dice.rand(n) < np.clip(0.02 + 0.02 * risk, 0, 1)
        columns: Drawn = {"SK_ID_CURR": self.ids[of], "SK_ID_BUREAU": 5_000_000 + dice.permutation(n)}
        columns["CREDIT_ACTIVE"] = np.where(active, "Active", self.pick(n, Closed=98, Sold=2))
        columns["CREDIT_CURRENCY"] = self.pick(n, currency__1=998, currency__2=2)
        columns["DAYS_CREDIT"] = started
        columns["CREDIT_DAY_OVERDUE"] = np.where(late, dice.randint(1, 60, n), 0)
        columns["DAYS_CREDIT_ENDDATE"] = self.gaps(started + length, 0.06)
        columns["DAYS_ENDDATE_FACT"] = np.where(
            active, np.nan, (started + length - dice.randint(0, 60, n)).astype(float)
        )
        columns["AMT_CREDIT_MAX_OVERDUE"] = self.gaps(
            np.where(dice.rand(n) < np.clip(0.2 + 0.1 * risk, 0, 1), self.money(n, 3_000), 0.0), 0.6
        )
        columns["CNT_CREDIT_PROLONG"] = (dice.rand(n) < 0.005).astype(int)
        columns["AMT_CREDIT_SUM"] = total
        debt = np.round(total * np.clip(0.45 + 0.15 * risk + dice.normal(0, 0.2, n), 0, 1.2), 1)
        columns["AMT_CREDIT_SUM_DEBT"] = self.gaps(np.where(active, debt, 0.0), 0.15)
        columns["AMT_CREDIT_SUM_LIMIT"] = self.gaps(np.zeros(n), 0.35)
        columns["AMT_CREDIT_SUM_OVERDUE"] = np.where(late, np.round(total * 0.02, 1), 0.0)
        columns["CREDIT_TYPE"] = self.pick(
            n, Consumer__credit=73, Credit__card=23, Car__loan=2, Mortgage=1, Microloan=1
        )
        columns["DAYS_CREDIT_UPDATE"] = np.maximum(started, self.days(n, 1, 900))
        columns["AMT_ANNUITY"] = self.gaps(np.round(total / 24 / 4.5) * 4.5, 0.7)
        loans = pd.DataFrame(columns)
        shown = np.flatnonzero(dice.rand(n) < 0.66)
        months = np.minimum(-started[shown] // 30 + 1, 24)
        row = np.repeat(shown, months)
        before = np.concatenate([np.arange(m) for m in months])
        worse = dice.rand(len(row)) < np.clip(0.03 + 0.03 * risk[row], 0.002, 1)
        status = np.where(
            worse,
            self.pick(len(row), **{"1": 8, "2": 1, "3": 0.4, "5": 0.6}),
            self.pick(len(row), C=50, **{"0": 28, "X": 22}),
        )
        balance = {"SK_ID_BUREAU": loans["SK_ID_BUREAU"].to_numpy()[row], "MONTHS_BALANCE": -before, "STATUS": status}
        return loans, pd.DataFrame(balance)

    def previous(self) -> pd.DataFrame:
        """Earlier applications at Home Credit, some refused."""
        of, n = self.several(3.5, 0.06)
        risk, dice = self.hidden[of], self.dice
        asked = self.money(n, 100_000, 0.9)
        refused = dice.rand(n) < np.clip(0.18 + 0.12 * risk, 0.01, 0.9)
        cancelled = ~refused & (dice.rand(n) < 0.15)
        done = ~refused & ~cancelled
        decided = self.days(n, 10, 2_900)
        kind = self.pick(n, Consumer__loans=46, Cash__loans=42, Revolving__loans=12)
        count = dice.choice([6, 10, 12, 18, 24], n).astype(float)
        ends = decided + 30 + 30 * count
        columns: Drawn = {"SK_ID_PREV": 1_000_000 + dice.permutation(n * 2)[:n], "SK_ID_CURR": self.ids[of]}
        columns["NAME_CONTRACT_TYPE"] = kind
        columns["AMT_ANNUITY"] = np.where(cancelled, np.nan, np.round(asked / count / 4.5) * 4.5)
        columns["AMT_APPLICATION"] = np.where(cancelled, 0.0, asked)
        columns["AMT_CREDIT"] = np.where(cancelled, 0.0, np.round(asked * dice.uniform(0.85, 1.2, n) / 4.5) * 4.5)
        columns["AMT_DOWN_PAYMENT"] = self.gaps(np.round(asked * 0.05), 0.53)
        columns["AMT_GOODS_PRICE"] = self.gaps(asked, 0.23)
        columns["WEEKDAY_APPR_PROCESS_START"] = dice.choice(np.array(WEEKDAYS, object), n)
        columns["HOUR_APPR_PROCESS_START"] = np.clip(dice.normal(12, 3, n), 0, 23).astype(int)
        columns |= {
            "FLAG_LAST_APPL_PER_CONTRACT": self.pick(n, Y=995, N=5),
            "NFLAG_LAST_APPL_IN_DAY": (dice.rand(n) < 0.996).astype(int),
        }
        columns["RATE_DOWN_PAYMENT"] = np.where(
            np.isnan(columns["AMT_DOWN_PAYMENT"]), np.nan, np.round(dice.beta(1, 12, n), 6)
        )
        columns |= {
            "RATE_INTEREST_PRIMARY": self.gaps(np.full(n, 0.1891), 0.996),
            "RATE_INTEREST_PRIVILEGED": self.gaps(np.full(n, 0.8675), 0.996),
        }
        columns["NAME_CASH_LOAN_PURPOSE"] = np.where(
            kind == "Cash loans", self.pick(n, XNA=9, Repairs=1, Other=1), "XAP"
        )
        columns["NAME_CONTRACT_STATUS"] = np.where(refused, "Refused", np.where(cancelled, "Canceled", "Approved"))
        columns["DAYS_DECISION"] = decided
        columns["NAME_PAYMENT_TYPE"] = self.pick(n, Cash__through__the__bank=62, XNA=38)
        columns["CODE_REJECT_REASON"] = np.where(refused, self.pick(n, HC=60, LIMIT=20, SCO=15, XNA=5), "XAP")
        columns["NAME_TYPE_SUITE"] = self.gaps(dice.choice(np.array(SUITES, object), n), 0.49)
        columns["NAME_CLIENT_TYPE"] = self.pick(n, Repeater=74, New=18, Refreshed=8)
        columns["NAME_GOODS_CATEGORY"] = self.pick(
            n, XNA=57, Mobile=13, Consumer__Electronics=7, Computers=6, Furniture=3
        )
        columns["NAME_PORTFOLIO"] = np.where(
            kind == "Cash loans", "Cash", np.where(kind == "Consumer loans", "POS", "Cards")
        )
        columns["NAME_PRODUCT_TYPE"] = self.pick(n, XNA=64, **{"x-sell": 27, "walk-in": 9})
        columns["CHANNEL_TYPE"] = self.pick(n, Country__wide=30, Stone=13, Contact__center=4)
        columns["SELLERPLACE_AREA"] = np.where(dice.rand(n) < 0.46, -1, dice.randint(5, 4_000, n))
        columns["NAME_SELLER_INDUSTRY"] = self.pick(n, XNA=51, Consumer__electronics=24, Connectivity=17, Furniture=4)
        columns["CNT_PAYMENT"] = np.where(cancelled, np.nan, count)
        columns["NAME_YIELD_GROUP"] = self.pick(n, XNA=31, middle=23, high=21, low_normal=19, low_action=6)
        columns["PRODUCT_COMBINATION"] = self.pick(n, Cash=18, POS__mobile__with__interest=14, Card__Street=7)
        due = np.where(done, decided + 30.0, np.nan)
        columns["DAYS_FIRST_DRAWING"] = np.where(done, NEVER, np.nan)
        columns |= {"DAYS_FIRST_DUE": due, "DAYS_LAST_DUE_1ST_VERSION": np.where(done, ends, np.nan)}
        columns["DAYS_LAST_DUE"] = np.where(done, np.where(ends > 0, NEVER, ends), np.nan)
        columns["DAYS_TERMINATION"] = np.where(done, np.where(ends > 0, NEVER, ends + 8), np.nan)
        columns["NFLAG_INSURED_ON_APPROVAL"] = np.where(done, (dice.rand(n) < 0.33).astype(float), np.nan)
        return pd.DataFrame(columns)

    def months(self, previous: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Of approved loans: months of cash and point-of-sale loans, months of cards, instalments and payments."""
        dice, where = self.dice, {int(client): i for i, client in enumerate(self.ids)}
        done = previous[previous["NAME_CONTRACT_STATUS"] == "Approved"]
        risk = self.hidden[[where[int(client)] for client in done["SK_ID_CURR"]]]
        cards = (done["NAME_CONTRACT_TYPE"] == "Revolving loans").to_numpy()
        length = np.minimum(
            done["CNT_PAYMENT"].to_numpy(), np.maximum(-done["DAYS_DECISION"].to_numpy() // 30, 1)
        ).astype(int)
        row = np.repeat(np.arange(len(done)), length)
        number = np.concatenate([np.arange(m) for m in length])
        keys = {name: done[name].to_numpy()[row] for name in ("SK_ID_PREV", "SK_ID_CURR")}
        month = done["DAYS_DECISION"].to_numpy()[row] // 30 + number + 1
        late = dice.rand(len(row)) < np.clip(0.05 + 0.05 * risk[row], 0.005, 1)
        overdue = np.where(late, dice.randint(1, 40, len(row)), 0)
        count = done["CNT_PAYMENT"].to_numpy()[row]
        pos = pd.DataFrame(keys | {
            "MONTHS_BALANCE": month, "CNT_INSTALMENT": count, "CNT_INSTALMENT_FUTURE": count - number,
            "NAME_CONTRACT_STATUS": np.where(count - number <= 1, "Completed", "Active"),
            "SK_DPD": overdue, "SK_DPD_DEF": np.where(overdue > 20, overdue, 0),
        })[~cards[row] & (month < 0)]  # fmt: skip
        limit = np.round(self.money(len(done), 150_000) / 4_500)[row] * 4_500
        used = np.round(limit * np.clip(0.3 + 0.2 * risk[row] + dice.normal(0, 0.2, len(row)), 0, 1.1), 2)
        drawn = np.where(dice.rand(len(row)) < 0.3, np.round(used * 0.2, 1), 0.0)
        number_drawn = np.where(drawn > 0, dice.randint(1, 5, len(row)), 0)
        paid = np.round(used * 0.07, 2)
        card = pd.DataFrame(keys | {
            "MONTHS_BALANCE": month, "AMT_BALANCE": used, "AMT_CREDIT_LIMIT_ACTUAL": limit.astype(int),
            "AMT_DRAWINGS_ATM_CURRENT": self.gaps(drawn, 0.2), "AMT_DRAWINGS_CURRENT": drawn,
            "AMT_DRAWINGS_OTHER_CURRENT": self.gaps(np.zeros(len(row)), 0.2),
            "AMT_DRAWINGS_POS_CURRENT": self.gaps(np.zeros(len(row)), 0.2),
            "AMT_INST_MIN_REGULARITY": self.gaps(np.round(used * 0.05, 2), 0.08),
            "AMT_PAYMENT_CURRENT": self.gaps(paid, 0.2), "AMT_PAYMENT_TOTAL_CURRENT": paid,
            "AMT_RECEIVABLE_PRINCIPAL": np.round(used * 0.95, 2), "AMT_RECIVABLE": used, "AMT_TOTAL_RECEIVABLE": used,
            "CNT_DRAWINGS_ATM_CURRENT": self.gaps(number_drawn, 0.2), "CNT_DRAWINGS_CURRENT": number_drawn,
            "CNT_DRAWINGS_OTHER_CURRENT": self.gaps(np.zeros(len(row)), 0.2),
            "CNT_DRAWINGS_POS_CURRENT": self.gaps(np.zeros(len(row)), 0.2),
            "CNT_INSTALMENT_MATURE_CUM": number.astype(float),
            "NAME_CONTRACT_STATUS": self.pick(len(row), Active=96, Completed=4),
            "SK_DPD": overdue, "SK_DPD_DEF": np.where(overdue > 20, overdue, 0),
        })[cards[row] & (month < 0)]  # fmt: skip
        due = done["DAYS_DECISION"].to_numpy()[row] + 30 * (number + 1)
        owed = done["AMT_ANNUITY"].to_numpy()[row]
        short = dice.rand(len(row)) < np.clip(0.04 + 0.03 * risk[row], 0.002, 1)
        on = due - dice.randint(0, 15, len(row)) + np.where(late, 10 + overdue, 0)
        payments = pd.DataFrame(keys | {
            "NUM_INSTALMENT_VERSION": cards[row].astype(float) * -1 + 1, "NUM_INSTALMENT_NUMBER": number + 1,
            "DAYS_INSTALMENT": due.astype(float), "DAYS_ENTRY_PAYMENT": self.gaps(on, 0.002), "AMT_INSTALMENT": owed,
            "AMT_PAYMENT": np.where(short, np.round(owed * 0.6, 2), owed),
        })[(due < 0) & (on < 0)]  # fmt: skip
        shuffled = dice.permutation(len(payments))  # as in Kaggle's files, keys are in no order
        return pos, card, payments.iloc[shuffled]


def write(folder: Path, train: int = 2_000, test: int = 500, seed: int = 0) -> None:
    """Writes Kaggle's nine files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    lender = Lender(train + test, seed)
    applications = lender.applications()
    later = applications.iloc[train:].drop(columns="TARGET")
    loans, balance = lender.bureau()
    previous = lender.previous()
    pos, card, payments = lender.months(previous)
    files = {
        "application_train": applications.iloc[:train], "application_test": later,
        "sample_submission": later[["SK_ID_CURR"]].assign(TARGET=0.5), "bureau": loans, "bureau_balance": balance,
        "previous_application": previous, "POS_CASH_balance": pos, "credit_card_balance": card,
        "installments_payments": payments,
    }  # fmt: skip
    for name, frame in files.items():
        partial = folder / f".{name}.csv.{os.getpid()}"
        frame.to_csv(partial, index=False, lineterminator="\n")
        os.replace(partial, folder / f"{name}.csv")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the embedded sample of Home Credit.")
    parser.add_argument("folder", type=Path)
    for argument, default in (("train", 2_000), ("test", 500), ("seed", 0)):
        parser.add_argument(argument, type=int, nargs="?", default=default)
    write(**vars(parser.parse_args()))

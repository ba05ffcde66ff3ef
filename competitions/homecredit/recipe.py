"""Home Credit Default Risk (Kaggle, 2018): will a client have difficulties in paying back? Scored by AUC."""

from pathlib import Path

from competitions.homecredit.features import Application
from kit import (
    Boost,
    CatBoost,
    DeepFeatures,
    Greedy,
    Linear,
    RealMLP,
    Recipe,
    Side,
    SideAggregates,
    Stratified,
    Task,
    roc_auc,
)

NOT_KNOWN = (365243, "XNA", "XAP")  # days of "never", words of "not available"

EARLIER = (
    SideAggregates(
        side="bureau",
        columns=("DAYS_CREDIT", "AMT_CREDIT_SUM", "AMT_CREDIT_SUM_DEBT", "AMT_CREDIT_MAX_OVERDUE", "CREDIT_DAY_OVERDUE",
                 "DAYS_CREDIT_ENDDATE", "DEBT"),
        statistics=("mean", "max", "min", "sum", "last"),
        categories=("CREDIT_ACTIVE", "CREDIT_TYPE"),
        by=("share", "mean"),
        levels=3,
        ratios={"AMT_CREDIT_SUM_DEBT": "AMT_INCOME_TOTAL"},
    ),
    SideAggregates(side="bureau_balance", columns="MONTHS_BALANCE", statistics="min", categories="STATUS", levels=5),
    SideAggregates(
        side="previous_application",
        columns=("AMT_APPLICATION", "AMT_CREDIT", "AMT_ANNUITY", "CNT_PAYMENT", "DAYS_DECISION", "GRANTED"),
        statistics=("mean", "max", "min", "last"),
        categories=("NAME_CONTRACT_STATUS", "CODE_REJECT_REASON", "NAME_CONTRACT_TYPE", "NAME_YIELD_GROUP"),
        levels=4,
    ),
    SideAggregates(side="previous_application", columns=("AMT_APPLICATION", "GRANTED"), last=3,
                   categories="NAME_CONTRACT_STATUS", levels=2),
)  # fmt: skip
MONTHS = (
    SideAggregates(side="POS_CASH_balance", columns=("SK_DPD", "SK_DPD_DEF", "CNT_INSTALMENT_FUTURE"),
                   statistics=("mean", "max", "sum", "trend"), categories="NAME_CONTRACT_STATUS", levels=2),
    SideAggregates(side="credit_card_balance", columns=("USED", "AMT_BALANCE", "AMT_DRAWINGS_ATM_CURRENT", "SK_DPD"),
                   statistics=("mean", "max", "last", "trend")),
    SideAggregates(side="installments_payments", columns=("LATE", "SHORT", "PAID"),
                   statistics=("mean", "max", "min", "sum", "std", "trend")),
    SideAggregates(side="installments_payments", columns=("LATE", "SHORT"), statistics=("mean", "max"), window=365),
    SideAggregates(side="installments_payments", columns=("LATE", "SHORT"), statistics=("mean", "max"), last=10),
)  # fmt: skip


class HomeCredit(Recipe):
    """Applications, and what is known of the clients' earlier loans, as far as its files are there."""

    task = Task(
        name="homecredit",
        kind="binary",
        id="SK_ID_CURR",
        targets=("TARGET",),
        metric=roc_auc,
        slug="home-credit-default-risk",
    )
    files = ("application_train.csv", "application_test.csv", "sample_submission.csv")
    sides = (
        Side(file="bureau.csv", key="SK_ID_CURR", time="DAYS_CREDIT", missing=NOT_KNOWN,
             made={"DEBT": "AMT_CREDIT_SUM_DEBT / AMT_CREDIT_SUM"}),
        Side(file="bureau_balance.csv", key="SK_ID_BUREAU", of="bureau", time="MONTHS_BALANCE"),
        Side(file="previous_application.csv", key="SK_ID_CURR", time="DAYS_DECISION", missing=NOT_KNOWN,
             made={"GRANTED": "AMT_CREDIT / AMT_APPLICATION"}),
        Side(file="POS_CASH_balance.csv", key="SK_ID_CURR", time="MONTHS_BALANCE", missing=NOT_KNOWN),
        Side(file="credit_card_balance.csv", key="SK_ID_CURR", time="MONTHS_BALANCE", missing=NOT_KNOWN,
             made={"USED": "AMT_BALANCE / AMT_CREDIT_LIMIT_ACTUAL"}),
        Side(file="installments_payments.csv", key="SK_ID_CURR", time="DAYS_INSTALMENT",
             made={"LATE": "DAYS_ENTRY_PAYMENT - DAYS_INSTALMENT", "SHORT": "AMT_INSTALMENT - AMT_PAYMENT",
                   "PAID": "AMT_PAYMENT / AMT_INSTALMENT"}),
    )  # fmt: skip
    presets = {
        # for the embedded sample: with so few rows small trees do as well
        "quick": [
            "boost.trees=150",
            "boost.num_leaves=7",
            "plain.trees=150",
            "plain.num_leaves=7",
            "deep.trees=150",
            "deep.num_leaves=7",
            "cat.trees=200",
            "cat.depth=4",
            "net.stage.epochs=12",
        ],
        "full": [
            "boost.lr=0.02",
            "boost.trees=4000",
            "plain.lr=0.02",
            "plain.trees=4000",
            "cat.lr=0.03",
            "cat.trees=4000",
        ],
    }

    folds = Stratified(n=5)
    plain = Boost(features=(Application(),))
    boost = Boost(features=(Application(), *EARLIER, *MONTHS))
    linear = Linear(features=(Application(), *EARLIER, *MONTHS), C=0.01)
    deep = Boost(features=(Application(), DeepFeatures(most=300, ignore="SK_ID_PREV")))
    cat = CatBoost(features=(Application(), *EARLIER, *MONTHS))
    net = RealMLP(features=(Application(), *EARLIER, *MONTHS))
    blend = Greedy()

    def write_sample(self, folder: Path) -> None:
        from competitions.homecredit.sample import write

        write(folder)

"""Side tables: how files and frames are opened, typed and joined by keys; what is said; what the digest covers."""

import gzip
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit import Boost, Recipe, SideAggregates, Stratified, Task, check_recipe, roc_auc
from kit.core.errors import KitError
from kit.rows import Rows
from kit.run.run import Run
from kit.session import Recipe as SessionRecipe
from kit.sides.side import Side
from kit.sides.sides import Sides
from kit.table import read_table

TASK = Task(name="loans", kind="binary", id="client", inputs=("age",), targets="late", metric=roc_auc)
LOANS = Side(file="loans.csv", key="client", time="day")
PAYMENTS = Side(file="payments.csv", key="loan", of="loans", time="month")


def frames(n: int = 60, seed: int = 0, pad: int = 0) -> dict[str, pd.DataFrame]:
    """Train and test rows, loans of most clients, payments of most loans; ids with leading zeros where `pad` > 0."""
    rng = np.random.default_rng(seed)
    ids = [str(i).zfill(pad) for i in rng.permutation(n)]
    late = rng.integers(0, 2, n)
    rows = pd.DataFrame({"client": ids, "age": rng.normal(40, 9, n).round(1), "late": late})
    of = rng.integers(0, n - 10, 4 * n)
    loans = pd.DataFrame(
        {
            "client": [str(i).zfill(pad) for i in of],
            "loan": rng.permutation(4 * n) + 500,
            "day": -rng.integers(1, 900, 4 * n),
            "sum": (rng.normal(1000, 200, 4 * n) + 600 * late[[ids.index(str(i).zfill(pad)) for i in of]]).round(2),
            "state": rng.choice(["open", "closed", "XNA"], 4 * n),
        }
    )
    payments = pd.DataFrame(
        {
            "loan": rng.integers(500, 500 + 4 * n, 20 * n),
            "month": -rng.integers(0, 30, 20 * n),
            "paid": rng.normal(50, 9, 20 * n).round(2),
        }
    )
    return {"train": rows[: n - 15], "test": rows[n - 15 :].drop(columns="late"), "loans": loans, "payments": payments}


def written(folder: Path, found: dict[str, pd.DataFrame], **to_csv: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for name, frame in found.items():
        frame.to_csv(folder / f"{name}.csv", index=False, **(to_csv if name not in ("train", "test") else {}))
    return folder


def opened(folder: Path, cache: Path | None = None, sides: Any = (LOANS, PAYMENTS)) -> Any:
    return read_table(TASK, folder / "train.csv", folder / "test.csv", None, cache, sides=sides)


def counts(table: Any, **settings: Any) -> np.ndarray:
    features = SideAggregates(side="loans", columns="sum", statistics="mean", **settings)
    return features.of(table.test_rows)


def expected(found: dict[str, pd.DataFrame]) -> np.ndarray:
    """(n, 2) count and mean of the loans of train, then test clients, by pandas."""
    ids = [*found["train"]["client"], *found["test"]["client"]]
    loans = found["loans"].assign(client=found["loans"]["client"].astype(str))
    groups = loans.groupby("client")["sum"]
    count, mean = groups.size().reindex(ids).fillna(0), groups.mean().reindex(ids)
    return np.column_stack([count, mean])


class Loans(Recipe):
    task = TASK
    sides = (LOANS, PAYMENTS)
    folds = Stratified(n=3)
    boost = Boost(trees=5, min_leaf=2, features=(SideAggregates(side="loans"), SideAggregates(side="payments")))


class NotebookLoans(SessionRecipe):
    task = TASK
    sides = (LOANS, PAYMENTS)
    folds = Stratified(n=3)
    boost = Boost(trees=5, min_leaf=2, features=(SideAggregates(side="loans"), SideAggregates(side="payments")))


# ---- what a recipe says ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sides, said",
    [
        ((LOANS, LOANS), "two side tables are called 'loans'; give one of them another name="),
        ((PAYMENTS,), "side 'payments' is of 'loans', which is no side above it; there are: payments"),
        (("loans.csv",), "sides are Side(file=…, key=…), not 'loans.csv'"),
    ],
)
def test_sides_that_do_not_fit_are_refused(sides: Any, said: str) -> None:
    with pytest.raises(KitError, match=f".*{said}".replace("(", r"\(").replace(")", r"\)")):
        type("Wrong", (Recipe,), {"task": TASK, "sides": sides, "__module__": __name__})()


def test_a_later_row_needs_a_time() -> None:
    with pytest.raises(KitError, match="row_time says which rows are too late, so time must name their own time"):
        Side(file="a.csv", key="id", row_time="when")


def test_sides_may_stand_in_any_order(tmp_path: Path) -> None:
    found = frames()
    table = opened(written(tmp_path, found), sides=(PAYMENTS, LOANS))
    assert list(table.sides) == ["loans", "payments"]


# ---- which are there ------------------------------------------------------------------------------


def test_an_absent_side_is_left_out_with_one_note(tmp_path: Path) -> None:
    folder = written(tmp_path, frames())
    (folder / "payments.csv").unlink()
    table = opened(folder)
    assert table.notes == ("side table 'payments' is left out: its file is not there",) and list(table.sides) == [
        "loans"
    ]
    (folder / "loans.csv").unlink()
    table = opened(folder)
    assert table.notes == ("2 side tables (loans, payments) are left out: their files are not there",)
    assert SideAggregates(side="loans").of(table.test_rows).shape == (60, 0)


def test_a_nested_side_without_its_parent_is_left_out(tmp_path: Path) -> None:
    folder = written(tmp_path, frames())
    (folder / "loans.csv").unlink()
    assert opened(folder).notes == ("2 side tables (loans, payments) are left out: their files are not there",)


def test_a_required_side_is_refused_where_it_is_absent(tmp_path: Path) -> None:
    folder = written(tmp_path, frames())
    (folder / "loans.csv").unlink()
    with pytest.raises(KitError, match="loans.csv is missing, which the recipe requires as a side table"):
        opened(folder, sides=(LOANS.model_copy(update={"required": True}),))


def test_columns_that_are_not_there_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path, frames())
    with pytest.raises(KitError, match=r"loans\.csv: column 'Client' is missing; did you mean 'client'\?"):
        opened(folder, sides=Side(file="loans.csv", key="Client"))
    with pytest.raises(
        KitError, match=r"train\.csv: column 'klient' is missing, by which side table 'loans' is joined"
    ):
        opened(folder, sides=Side(file="loans.csv", key="client", of_key="klient"))
    with pytest.raises(KitError, match="there is no side table 'laons'; did you mean 'loans'"):
        SideAggregates(side="laons").of(opened(folder).test_rows)
    with pytest.raises(KitError, match=r"loans\.csv: column 'summ' is missing; did you mean 'sum'\?"):
        SideAggregates(side="loans", columns="summ").of(opened(folder).test_rows)


def test_rows_without_sides_say_what_is_missing() -> None:
    rows = Rows.of(TASK, pd.DataFrame({"client": ["1"], "age": [3.0]}))
    with pytest.raises(KitError, match=r"SideAggregates reads side tables, and these rows have none"):
        SideAggregates(side="loans").of(rows)


# ---- how files are read ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "semicolons", "gzip", "zip", "parquet", "utf-16", "latin-1", "words"])
def test_forms_of_files(form: str, tmp_path: Path) -> None:
    found = frames()
    found["loans"]["state"] = found["loans"]["state"].replace("open", "geöffnet")
    folder = written(tmp_path / "data", found)
    path = folder / "loans.csv"
    if form == "semicolons":
        found["loans"].to_csv(path, index=False, sep=";", decimal=",")
    elif form == "gzip":
        (folder / "loans.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    elif form == "zip":
        with zipfile.ZipFile(folder / "loans.csv.zip", "w") as archive:
            archive.write(path, "loans.csv")
        path.unlink()
    elif form == "parquet":
        found["loans"].to_parquet(folder / "loans.parquet")
        path.unlink()
    elif form == "words":  # for missing numbers, and blanks around categories
        found["loans"].loc[3::7, "sum"] = np.nan
        found["loans"].assign(state=" " + found["loans"]["state"]).to_csv(path, index=False, na_rep="NaN")
    elif form in ("utf-16", "latin-1"):
        found["loans"].to_csv(path, index=False, encoding=form)
    table = opened(folder, tmp_path / "cache")
    np.testing.assert_allclose(counts(table), expected(found), rtol=1e-6)
    assert set(table.sides["loans"].levels("state", 5)) == {"geöffnet", "closed", "XNA"}
    shares = SideAggregates(side="loans", columns="sum", statistics="mean", categories="state")
    features = shares.fit_transform(table.test_rows)[1]
    assert features["share in loans where state = closed"].mean() > 0.2


def test_types_of_columns(tmp_path: Path) -> None:
    loans = pd.DataFrame(
        {
            "client": ["1", "1", "2", "2"],
            "code": ["007", "012", "100", "007"],
            "known": ["yes", "no", "yes", "NA"],
            "when": ["2020-01-01", "2020-01-03", "2021-05-05", ""],
            "spoken": ["01/02/2020", "13/02/2020", "01/03/2020", "?"],
            "amount": ["1", "oops", "3", "4"],
            "word": ["NA", " a ", "b", "a"],
        }
    )
    loans = pd.concat([loans] * 30)  # a cell in four that is no number would make categories of all
    loans["amount"] = ["oops", *["1", "3", "4"] * 39, "2", "2"]
    folder = written(tmp_path, {**frames(), "loans": loans})
    table = opened(folder, sides=Side(file="loans.csv", key="client", missing=(4, "b"))).sides["loans"]
    types = {name: column["type"] for name, column in table.columns.items()}
    assert types == {
        "client": "number", "code": "category", "known": "boolean", "when": "date", "spoken": "date",
        "amount": "number", "word": "category",
    }  # fmt: skip
    names = ["code", "known", "when", "spoken", "amount", "word"]
    rows = table.scan(names).head(4).collect().to_dict(as_series=False)
    assert rows["code"] == ["007", "012", "100", "007"] and rows["known"] == [1.0, 0.0, 1.0, None]
    assert rows["when"] == [18262.0, 18264.0, 18752.0, None] and rows["spoken"] == [18293.0, 18305.0, 18322.0, None]
    assert rows["amount"] == [None, 1.0, 3.0, None] and rows["word"] == [None, "a", None, "a"]


def test_made_columns(tmp_path: Path) -> None:
    found = frames()
    side = LOANS.model_copy(update={"made": (("a", "sum - day"), ("b", "sum / day"))})
    table = opened(written(tmp_path, found), sides=side).sides["loans"]
    rows = table.scan(["a", "b"]).collect()
    loans = found["loans"]
    np.testing.assert_allclose(rows["a"], loans["sum"] - loans["day"])
    np.testing.assert_allclose(rows["b"], loans["sum"] / loans["day"])
    with pytest.raises(KitError, match="give two columns and a sign between blanks: 'a - b'"):
        Side(file="loans.csv", key="client", made={"a": "sum-day"})
    with pytest.raises(KitError, match=r"loans\.csv: column 'days' is missing; did you mean 'day'"):
        opened(tmp_path, sides=Side(file="loans.csv", key="client", made={"a": "sum - days"}))
    with pytest.raises(KitError, match="'a' is made of 'state', which is no column of numbers in it"):
        wrong = Side(file="loans.csv", key="client", made={"a": "sum - state"})
        opened(tmp_path, sides=wrong).sides["loans"].scan(["a"])


def test_stated_types(tmp_path: Path) -> None:
    side = LOANS.model_copy(update={"types": (("loan", "category"),)})
    assert opened(written(tmp_path, frames()), sides=side).sides["loans"].columns["loan"]["type"] == "category"


# ---- keys -----------------------------------------------------------------------------------------


def test_keys_need_no_order_and_absent_ones_count_nothing(tmp_path: Path) -> None:
    found = frames()
    values = counts(opened(written(tmp_path, found)))
    np.testing.assert_allclose(values, expected(found), rtol=1e-6)
    absent = ~np.isin([*found["train"]["client"], *found["test"]["client"]], found["loans"]["client"].astype(str))
    assert absent.sum() >= 10 and (values[absent, 0] == 0).all() and np.isnan(values[absent, 1]).all()


def test_keys_with_leading_zeros_stay_strings(tmp_path: Path) -> None:
    found = frames(pad=6)
    np.testing.assert_allclose(counts(opened(written(tmp_path, found))), expected(found), rtol=1e-6)
    found["loans"]["client"] = found["loans"]["client"].astype(int)  # 12 is not 000012
    with pytest.warns(UserWarning, match="side 'loans': none of its keys 'client' is one of the rows' 'client'"):
        assert (counts(opened(written(tmp_path, found)))[:, 0] == 0).all()


def test_keys_of_nineteen_digits_are_exact(tmp_path: Path) -> None:
    found = frames()
    for name in ("train", "test", "loans"):
        found[name] = found[name].assign(client=[str(9_007_199_254_740_993 + int(c)) for c in found[name]["client"]])
    np.testing.assert_allclose(counts(opened(written(tmp_path, found))), expected(found), rtol=1e-6)


def test_the_order_of_the_file_does_not_matter(tmp_path: Path) -> None:
    found = frames()
    features = SideAggregates(side="loans", columns="sum", statistics=("mean", "std", "last", "trend"), last=2)
    nested = SideAggregates(side="payments", statistics=("mean", "last"))
    one = opened(written(tmp_path / "a", found)).test_rows
    mixed = {**found, **{name: found[name].sample(frac=1, random_state=1) for name in ("loans", "payments")}}
    other = opened(written(tmp_path / "b", mixed)).test_rows
    for made in (features, nested):
        np.testing.assert_allclose(made.of(one), made.of(other), rtol=1e-5)


# ---- digest, subset, rows of their own ------------------------------------------------------------


def test_a_byte_of_a_side_changes_the_digest(tmp_path: Path) -> None:
    folder, cache = written(tmp_path / "data", frames()), tmp_path / "cache"
    before = opened(folder, cache)
    assert opened(folder, cache).digest == before.digest == opened(folder).digest
    path = folder / "payments.csv"
    data = bytearray(path.read_bytes())
    data[-2] = ord("1") if data[-2] != ord("1") else ord("2")
    at = path.stat().st_mtime_ns
    path.write_bytes(data)
    os.utime(path, ns=(at + 1_000_000, at + 1_000_000))
    after = opened(folder, cache)
    assert after.digest != before.digest and after.source.digest != before.source.digest
    assert opened(folder, cache, sides=LOANS).digest != after.digest
    plain = read_table(TASK, folder / "train.csv", folder / "test.csv", None)
    assert not plain.sides and plain.digest != after.digest


def test_a_key_of_a_row_changes_what_is_kept(tmp_path: Path) -> None:
    found = frames()
    one = opened(written(tmp_path, found))
    found["train"] = found["train"].assign(client=["99", *found["train"]["client"][1:]])  # ids are no inputs
    assert opened(written(tmp_path, found)).source.digest != one.source.digest


def test_a_subset_keeps_its_sides(tmp_path: Path) -> None:
    table = opened(written(tmp_path, frames()))
    small = table.subset(20)
    whole = dict(zip(table.train["client"], counts(table)[: len(table.train)], strict=True))
    np.testing.assert_array_equal(counts(small)[:20], [whole[c] for c in small.train["client"]])


def test_extra_rows_have_keys_too(tmp_path: Path) -> None:
    found = frames()
    folder = written(tmp_path, {**found, "more": found["test"].iloc[:5]})
    names = (folder / "train.csv", folder / "test.csv", None)
    table = read_table(TASK, *names, extra=[folder / "more.csv"], sides=(LOANS, PAYMENTS))
    values = counts(table)
    np.testing.assert_array_equal(values[-5:], values[45:50])


def test_the_recipe_holds_its_contract(tmp_path: Path) -> None:
    check_recipe(Loans(), written(tmp_path, frames()))


def test_a_holdout_and_another_process_see_the_sides(tmp_path: Path) -> None:
    run = NotebookLoans().open(written(tmp_path / "data", frames()), runs=tmp_path / "runs", cache=tmp_path / "cache")
    held = run.run.with_holdout(0.2)
    assert held.predicted_rows.source.sides is run.table.source.sides and len(held.predicted_rows) == 9
    run.fit(on="processes:2")
    inline = Run(Loans(), opened(tmp_path / "data"), tmp_path / "inline")
    from kit.run.jobs import fit_jobs, jobs_of

    fit_jobs(jobs_of(inline, ["boost"]))
    kept = {fold: kept.valid for fold, kept in inline.gathered("boost").items()}
    for fold, found in run.run.gathered("boost").items():
        np.testing.assert_allclose(found.valid, kept[fold], atol=1e-6)


def test_frames_and_new_rows(tmp_path: Path) -> None:
    found = frames()
    sides = {name: found[name] for name in ("loans", "payments")}
    run = NotebookLoans().open(found["train"], found["test"], sides=sides, runs=tmp_path)
    run.fit()
    assert run.oof("boost")["late"].std() > 0
    test = run.predict(found["test"], "boost")
    kept = np.mean([fold.test for fold in run.run.gathered("boost").values()], axis=0)
    np.testing.assert_allclose(test["late"], kept[:, 0], atol=1e-6)
    fewer = found["loans"].assign(sum=0.0, state="closed")  # one category less than the models know
    assert not np.allclose(run.predict(found["test"], "boost", sides={"loans": fewer})["late"], test["late"])
    with pytest.raises(KitError, match="there is no side table 'loan'; did you mean 'loans'"):
        run.predict(found["test"], "boost", sides={"loan": fewer})
    with pytest.raises(KitError, match="frame: column 'client' is missing, by which side table 'loans' is joined"):
        run.predict(found["test"].drop(columns="client"), "boost")


def test_frames_that_are_no_sides_are_refused() -> None:
    with pytest.raises(KitError, match="the recipe names no side table 'loan'; did you mean 'loans'"):
        Sides.of_frames((LOANS,), {"loan": pd.DataFrame({"client": [1]})})

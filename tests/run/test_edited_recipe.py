"""A recipe that someone edits all day: what changes a number is fitted again, what does not is not."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.house import House

OWN = '''
SCALE = 1.0


def _scaled(x):
    return x * SCALE


class Product(Features):
    """The product of two columns."""

    def compute(self, source, task):
        return np.cos(_scaled(source.frame["x"].to_numpy() * source.frame["z"].to_numpy()))[:, None].astype(np.float32)


def spread(y, p):
    """A score of one's own."""
    return float(roc_auc(y, p))


class Small(Recipe):
    task = Task(name="small", kind="binary", targets=("y",), text=("words",), metric=Metric(spread, greater_is_better=True, needs="rank"))
'''  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "house")
    path = house.folder / "competitions/small/recipe.py"
    text = path.read_text()
    start = text.index("class Small(Recipe):")
    end = text.index("    presets", start)
    imports = "from kit.metrics import Metric\nfrom kit.features.base import Features\n"
    text = text[:start] + imports + OWN + text[end:]
    path.write_text(text.replace("min_leaf=5)", "min_leaf=5, features=(Product(),))"))
    return house


def edit(house: House, old: str, new: str) -> None:
    path = house.folder / "competitions/small/recipe.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def finished(house: House) -> dict[str, np.ndarray]:
    """The predictions of every finished fold, by its place."""
    found = sorted(house.runs.glob("*-*/fold?/valid.npy"))
    return {str(path.relative_to(house.runs)): np.load(path) for path in found}


def test_an_edited_feature_is_fitted_again_and_an_edited_comment_is_not(house: House) -> None:
    first = house.kit("cv", "comp=small", "only=boost")
    assert first.returncode == 0, first.stderr
    kept = finished(house)
    assert len(kept) == 4

    edit(house, '    """The product of two columns."""', "    # said otherwise\n    # and longer")
    edit(house, "SCALE = 1.0", "SCALE = 1.00  # the same")
    again = house.kit("cv", "comp=small", "only=boost")
    assert "4 of 4 folds were finished before" in again.stdout + again.stderr
    assert list(finished(house)) == list(kept)

    edit(house, "SCALE = 1.00", "SCALE = 3.0")
    other = house.kit("cv", "comp=small", "only=boost")
    assert other.returncode == 0 and "finished before" not in other.stdout + other.stderr
    new = {place: p for place, p in finished(house).items() if place not in kept}
    assert len(new) == 4
    for (place, p), q in zip(sorted(new.items()), kept.values(), strict=True):
        assert not np.array_equal(p, q), place

    edit(house, "SCALE = 3.0", "SCALE = 1.0")  # back again: the first folds are still there
    back = house.kit("cv", "comp=small", "only=boost")
    assert "4 of 4 folds were finished before" in back.stdout + back.stderr


def test_an_edited_metric_is_another_blend(house: House) -> None:
    assert house.kit("cv", "comp=small", "only=boost").returncode == 0
    report = (house.runs / "blend/report.json").read_text()
    edit(house, '    """A score of one\'s own."""\n', "")
    assert house.kit("blend", "comp=small", "only=boost").returncode == 0
    assert (house.runs / "blend/report.json").read_text() == report
    edit(house, "float(roc_auc(y, p))", "float(roc_auc(y, p)) / 2")
    assert house.kit("blend", "comp=small", "only=boost").returncode == 0
    assert (house.runs / "blend/report.json").read_text() != report
    assert len(finished(house)) == 4  # Boost does not look at the metric, so its folds stay


def test_a_planted_class_in_a_run_folder_runs_no_code(house: House) -> None:
    assert house.kit("cv", "comp=small", "only=boost").returncode == 0
    evil = house.folder / "runs/x/evil.py"
    evil.parent.mkdir(parents=True)
    evil.write_text("import pathlib\npathlib.Path('ran').touch()\nclass X: pass\n")
    planted = '{"class": "runs.x.evil:X", "version": 1}'
    (house.runs / "blend/further.json").write_text(f'{{"boost@7": {planted}}}')
    for path in [*house.runs.glob("*-*/spec.json"), *house.runs.glob("*-*/fold?/model/kit.json")]:
        path.write_text(f'{{"member": {planted}, "spec": {planted}}}')
    for words in (["cv", "comp=small", "only=boost"], ["blend", "comp=small"], ["show", "comp=small"]):
        done = house.kit(*words)
        assert "Traceback" not in done.stderr and "evil" not in done.stdout, done.stderr
    assert not (house.folder / "ran").exists()

"""Tampered: wired to the columns of a task, and worth something on the contest's sample."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from competitions.chinese360.features.tampered import Tampered
from competitions.chinese360.features.tampering import GROUPS, tampering_features
from competitions.chinese360.recipe import Chinese360
from kit.core.errors import KitError
from kit.members import Boost, Concat, Encoder, Perceptron, Seeds, TextNet, Views
from kit.metrics import roc_auc
from kit.rows import Rows
from kit.source import Source
from kit.text.segment import Words
from kit.text.statistics import TextStatistics
from kit.tta import Window


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder = tmp_path_factory.mktemp("sample")
    recipe = Chinese360()
    recipe.write_sample(folder)
    table = recipe.load(folder).subset(240)
    return table.rows(np.arange(len(table.train)))


def test_it_is_the_features_of_these_columns(rows: Rows) -> None:
    frame = rows.source.frame
    groups = [group for group in GROUPS if group not in ("surprisal", "tag")]
    names, expected = tampering_features(frame["content"].tolist(), frame["title"].tolist(), groups=groups)
    found = Tampered().of(rows)
    np.testing.assert_array_equal(found, expected)
    assert found.shape == (len(frame), len(names)) and np.isfinite(found).all()
    untitled = Tampered(title=None).of(rows)
    assert untitled.shape[1] < found.shape[1]
    worded = Tampered(segmenter=Words()).of(rows)
    assert worded.shape[1] > found.shape[1] and np.isfinite(worded).all()


def test_threads_do_not_change_them(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    few = rows.source.frame[:60]
    made = []
    for count in 1, 3:
        monkeypatch.setattr("competitions.chinese360.features.tampering.threads", lambda count=count: count)
        made.append(tampering_features(few["content"].tolist(), few["title"].tolist()))
    assert made[0][0] == made[1][0]
    np.testing.assert_array_equal(made[0][1], made[1][1])


def test_trees_tell_the_samples_tampering_by_it(rows: Rows, tmp_path: Path) -> None:
    boost = Chinese360().boost.override("trees=60", "patience=none", "features=Tampered")
    half = np.arange(len(rows)) % 2 == 0
    train, test = (rows.take(np.flatnonzero(side)) for side in (half, ~half))
    plain, told = (
        roc_auc(test.labels, member.learn(train, test, tmp_path).predict(test))
        for member in (boost.override("features=TextStatistics", "text=false"), boost)
    )
    assert told > 0.75 and told > plain + 0.05


def test_a_column_that_is_not_there_is_named() -> None:
    from kit.task import Task

    task = Task(name="t", kind="binary", targets=("y",), text=("text",), metric=roc_auc)
    rows = Rows(task, Source(pd.DataFrame({"text": ["a"]})), np.arange(1))
    with pytest.raises(KitError, match="Tampered: there is no column 'content'; there are: text"):
        Tampered().of(rows)


def test_groups_are_looked_at_as_named(rows: Rows) -> None:
    few = rows.source.frame[:40].reset_index(drop=True)
    small = Rows(rows.task, Source(few), np.arange(40))

    def width(*groups: str, **more: bool) -> int:
        found = Tampered(segmenter=Words(), groups=groups, **more).of(small)  # type: ignore[arg-type]
        assert np.isfinite(found).all() and len(found) == 40
        return found.shape[1]

    signs, words, tags, characters = (width(group) for group in ("sign", "word", "tag", "surprisal"))
    assert min(signs, words, tags, characters) > 10
    assert width("sign", "word", "tag", "surprisal") == signs + words + tags + characters
    assert [width(group, spread=True) - width(group) for group in ("word", "tag", "surprisal")] == [12, 12, 12]


def test_tags_tell_what_words_do_not(tmp_path: Path) -> None:
    """One row has numbers where the others have words: its tags are the odd ones."""
    texts = ["a b c d e. f g h i j."] * 7 + ["1 2 3 4 5. 6 7 8 9 0."]
    rows = Rows.of(Chinese360.task, pd.DataFrame({"title": [""] * 8, "content": texts}))
    told = Tampered(segmenter=Words(), groups=("tag",)).of(rows)
    assert not np.allclose(told[7], told[0]) and np.allclose(told[:7], told[0])


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"groups": ("tag",)}, "Tampered: groups: tag looks at parts of speech; name a segmenter"),
        ({"groups": ("word",)}, r"Tampered: groups = \('word',\): what these look at, title or segmenter, is none"),
        ({"groups": ("title",), "title": None}, r"Tampered: groups = \('title',\): what these look at"),
        ({"spread": True}, "Tampered: spread is that of a surprisal; name surprisal in groups, or a segmenter"),
    ],
)
def test_groups_that_look_at_nothing_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(KitError, match=sentence):
        Tampered(**settings)


def test_rows_that_others_tell_of_have_neither_views_nor_changed_copies() -> None:
    views, tampered = (Window(),), (Tampered(),)
    for member in (Boost(features=tampered), Seeds(member=Boost(features=(TextStatistics(), *tampered)))):
        with pytest.raises(KitError, match="^Views: Tampered compares rows with each other"):
            Views(member=member, views=views)
        assert Views(member=member).member == member
    assert Views(member=Boost(features=(TextStatistics(),)), views=views)
    told = Perceptron(features=tampered)
    for network in (told, Concat(a=Encoder(), b=TextNet(), more=(told,))):
        for setting in ("stage.augment=AEDA", "then=Stage(augment=AEDA)"):
            with pytest.raises(KitError, match="augment=AEDA: Tampered compares rows, and a changed"):
                type(network)(**dict(network)).override(setting)
    assert Perceptron().override("augment=AEDA").stage.augment

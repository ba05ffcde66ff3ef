"""Text statistics against values computed by hand."""

import numpy as np
import pandas as pd
import pytest

from kit.text.statistics import text_statistics

CASES: dict[str, dict[str, float]] = {
    "You are SO a f**k!!!": {
        "characters": 20, "words": 6, "lines": 1, "sentences": 1, "upper_share": 3 / 20, "digit_share": 0,
        "space_share": 4 / 20, "sign_share": 5 / 20, "non_ascii_share": 0, "exclamation_share": 3 / 20,
        "exclamations": 3, "question_share": 0, "word_length_mean": 11 / 6, "word_length_max": 3,
        "shouted_share": 1 / 6, "title_share": 1 / 6, "distinct_share": 1, "most_repeated": 1, "run_longest": 3,
        "runs": 1, "masked_words": 1, "links": 0, "you_share": 1 / 6, "i_share": 0,
    },
    'I, me? "My"\n\nno no No. 12 I': {
        "characters": 27, "words": 8, "lines": 3, "sentences": 2, "upper_share": 4 / 27, "digit_share": 2 / 27,
        "space_share": 8 / 27, "comma_share": 1 / 27, "question_share": 1 / 27, "quote_share": 2 / 27,
        "newline_share": 2 / 27, "period_share": 1 / 27, "sign_share": 5 / 27, "word_length_mean": 14 / 8,
        "word_length_max": 2, "shouted_share": 0, "title_share": 4 / 8, "distinct_share": 5 / 8, "most_repeated": 3,
        "run_longest": 0, "runs": 0, "i_share": 4 / 8, "you_share": 0, "exclamations": 0,
    },
    "été 東京。 aaaabbb at x@y.z see http://a.b or www.c": {
        "characters": 48, "words": 14, "sentences": 4, "non_ascii_share": 5 / 48, "at_share": 1 / 48, "runs": 3,
        "run_longest": 4, "masked_words": 1, "links": 2, "upper_share": 0, "lines": 1, "word_length_max": 7,
    },
    "What?! https://www.a.b ... httpd": {"links": 1, "sentences": 4, "words": 6},
}  # fmt: skip


@pytest.mark.parametrize("text", CASES)
def test_by_hand(text: str) -> None:
    row = text_statistics([text]).iloc[0]
    assert {name: row[name] for name in CASES[text]} == pytest.approx(CASES[text], rel=1e-6)


def test_an_empty_text_is_zeros_and_no_text_changes_another_s_row() -> None:
    texts = ["", *CASES, "   ", "\n", "!", "a" * 10_000]
    table = text_statistics(texts)
    assert (table.dtypes == np.float32).all() and len(table) == len(texts) and np.isfinite(table.to_numpy()).all()
    assert not table.iloc[0].any()
    for i, text in enumerate(texts):
        pd.testing.assert_frame_equal(text_statistics([text]), table.iloc[[i]].reset_index(drop=True))
    shares = table.filter(like="share")
    assert shares.to_numpy().min() >= 0 and shares.to_numpy().max() <= 1 and len(shares.columns) == 17
    assert table["space_share"].tolist()[-4:-1] == [1, 1, 0] and table["run_longest"].iloc[-1] == 10_000

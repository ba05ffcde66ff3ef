"""A member of every kind, small enough to be fitted in a second."""

from pathlib import Path
from typing import Any

import pytest

import kit.members
from kit.member import Member
from kit.members import (
    NBSVM,
    Boost,
    CatBoost,
    Concat,
    Encoder,
    FTTransformer,
    Linear,
    Module,
    Perceptron,
    PretrainedTabular,
    RealMLP,
    RowAsText,
    TabM,
    TabularResNet,
    TextNet,
    TransformedTarget,
    ULMFiT,
    Views,
    XGBoost,
)
from kit.members.selection.importance import NullImportance
from kit.members.selection.selected import Selected
from kit.pretrain import DAE, LanguageModelling
from kit.text import Tfidf
from kit.text.statistics import TextStatistics
from kit.train import Stage
from kit.tta import Windows
from tests.helpers.house import tiny_bert
from tests.helpers.pictures import tiny as tiny_pictures


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a BERT with random weights."""
    folder = tmp_path_factory.mktemp("weights") / "bert"
    tiny_bert(folder)
    return folder


def tiny_network(inputs: Any) -> Any:
    """A network of one's own: a layer."""
    from torch import nn

    return nn.Linear(inputs.width, inputs.outputs)


NEED_WEIGHTS = {"TabICL", "TabPFN"}  # tests/members/test_pretrained_tables.py makes some
NO_MEMBERS = {"pairs", "fine_tuning", "Embedding"}  # what `kit.members` offers beside members


def tiny_member(name: str, bert: Path) -> Member:
    """A member of each kind with settings that fit in a second; a new kind is tried with its defaults."""
    brief = Stage(epochs=1)
    tiny: dict[str, Any] = {"min_count": 1, "width": 8, "stage": brief}
    made: dict[str, Any] = {
        "Boost": lambda: Boost(trees=5, min_leaf=3),
        "XGBoost": lambda: XGBoost(trees=5),
        "CatBoost": lambda: CatBoost(trees=5),
        "Linear": lambda: Linear(word=Tfidf(min_df=1), char=None),
        "NBSVM": lambda: NBSVM(word=Tfidf(min_df=1)),
        "Encoder": lambda: Encoder(weights=str(bert), length=8, batch_rows=16),
        "TextNet": lambda: TextNet(**tiny),
        "ULMFiT": lambda: ULMFiT(**tiny, pretrain=LanguageModelling(stage=brief.for_loop())).override(
            "net=AWDLSTM(hidden=8)"
        ),
        "Module": lambda: Module(build=tiny_network, stage=brief),
        "Perceptron": lambda: Perceptron(stage=brief),
        "RealMLP": lambda: RealMLP(hidden=(8,), stage=brief),
        "TabM": lambda: TabM(width=8, members=4, stage=brief),
        "FTTransformer": lambda: FTTransformer(width=8, heads=2, hidden=8, stage=brief),
        "TabularResNet": lambda: TabularResNet(width=8, hidden=8, stage=brief),
        "PretrainedTabular": lambda: PretrainedTabular(
            start=DAE(hidden=(8,), features=(TextStatistics(),), stage=brief.for_loop()), stage=brief
        ),
        "ImageEncoder": tiny_pictures,
        "Concat": lambda: Concat(a=tiny_member("Encoder", bert), b=TextNet(**tiny), stage=brief),
        "RowAsText": lambda: RowAsText(member=Linear(word=Tfidf(min_df=1), char=None)),
        "TransformedTarget": lambda: TransformedTarget(member=Boost(trees=5, min_leaf=3), transform="ranks"),
        "Selected": lambda: Selected(member=Boost(trees=5, min_leaf=3), by=NullImportance(rounds=2)),
        "Views": lambda: Views(member=Boost(trees=5, min_leaf=3), views=(Windows(count=2),), train=True),
    }
    return made.get(name, getattr(kit.members, name))()

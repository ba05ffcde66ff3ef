"""360's contest (2017): did a person write this Chinese article, or a machine? Judged by F1 of what people wrote."""

from pathlib import Path
from typing import Any

from kit.data import Task
from kit.ensemble import Blend, Greedy
from kit.features import Tampered
from kit.folds import Folds, Stratified
from kit.members import Boost, Linear, TextNet
from kit.members.nets import HAN, HCN, RNN, TextCNN
from kit.metrics import f1
from kit.recipe import Recipe
from kit.table import Form
from kit.text import Tfidf
from kit.text.segment import Jieba
from kit.text.vectors import Word2Vec
from kit.train import Stage

# order and joints of words tell the machine, so words go with their tags, and vectors come from all rows' text
WORDS: dict[str, Any] = {
    "segmenter": Jieba(), "use": ("words", "tags"), "vectors": Word2Vec(), "length": 600, "sentences": 60,
    "stage": Stage(epochs=4, lr=1e-3, weight_decay=0.0),
}  # fmt: skip


class Chinese360(Recipe):
    """Folds keep the labels' shares; an article that occurs twice stays in one fold."""

    task = Task(
        name="chinese360",
        kind="binary",
        id="id",
        inputs=("title", "content"),
        text=("title", "content"),
        targets=("label",),
        classes=("NEGATIVE", "POSITIVE"),
        metric=f1,
    )
    files = ("train.tsv", "evaluation_public.tsv", None)
    form = Form(separator="\t", header=("id", "title", "content", "label"), quotes=False)
    presets = {"quick": ["boost.trees=100"]}

    folds: Folds = Stratified(n=5)
    linear: Linear = Linear(
        word=None, char=Tfidf(analyzer="char", ngram_range=(1, 2), min_df=3, binary=True, use_idf=False)
    )
    boost: Boost = Boost(
        features=(Tampered(segmenter=Jieba()),), trees=400, patience=None, lr=0.03, num_leaves=15, columns=0.3, l2=5
    )
    cnn: TextNet = TextNet(net=TextCNN(), **WORDS)
    han: TextNet = TextNet(net=HAN(), **WORDS)
    hcn: TextNet = TextNet(net=HCN(), **WORDS)
    gru: TextNet = TextNet(net=RNN(kind="gru"), **WORDS)
    blend: Blend = Greedy()

    def write_sample(self, folder: Path) -> None:
        from competitions.chinese360.sample import write

        write(folder)

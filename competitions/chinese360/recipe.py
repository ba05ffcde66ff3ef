"""360's contest (2017): did a person write this Chinese article, or a machine? Scored by F1 of what people wrote."""

from pathlib import Path

from competitions.chinese360.features.tampered import Tampered
from kit import Boost, Form, Greedy, Jieba, Linear, Recipe, Stratified, Task, TextNet, Tfidf, f1

# order and joints of words give the machine away: words go with their tags, and vectors are learnt from all rows' text
WORDS = (
    "segmenter=Jieba(), use=('words', 'tags'), vectors=Word2Vec(), length=600, sentences=60, "
    "stage=Stage(epochs=4, lr=1e-3, weight_decay=0.0)"
)


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
    presets = {
        "quick": ["boost.trees=100"],
        # four networks of words and tags: most of an hour on two cores, and no better than random on 5,200 rows
        "networks": [
            f"cnn=TextNet(net=TextCNN(), {WORDS})",
            f"han=TextNet(net=HAN(), {WORDS})",
            f"hcn=TextNet(net=HCN(), {WORDS})",
            f"gru=TextNet(net=RNN(kind='gru'), {WORDS})",
        ],
    }

    folds = Stratified(n=5)
    linear = Linear(word=None, char=Tfidf(analyzer="char", ngram_range=(1, 2), min_df=3, binary=True, use_idf=False))
    boost = Boost(
        features=(Tampered(segmenter=Jieba()),), trees=400, patience=None, lr=0.03, num_leaves=15, columns=0.3, l2=5
    )
    cnn: TextNet | None = None  # these four: preset=networks
    han: TextNet | None = None
    hcn: TextNet | None = None
    gru: TextNet | None = None
    blend = Greedy()

    def write_sample(self, folder: Path) -> None:
        from competitions.chinese360.sample import write

        write(folder)

"""Toxic Comment Classification Challenge (Jigsaw, 2018): six labels a comment, judged by mean column AUC."""

from pathlib import Path

from kit.data import Task
from kit.ensemble import Blend, Greedy
from kit.folds import Folds, Multilabel
from kit.members import NBSVM, Boost, Encoder, Linear
from kit.metrics import mean_roc_auc
from kit.recipe import Recipe


class Toxic(Recipe):
    """Folds keep the six labels' shares: the rarest, threat, has three positives in a thousand rows."""

    task = Task(
        name="toxic",
        kind="multilabel",
        id="id",
        inputs=("comment_text",),
        text=("comment_text",),
        targets=("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"),
        metric=mean_roc_auc,
        slug="jigsaw-toxic-comment-classification-challenge",
    )
    presets = {
        "quick": ["minilm.length=40", "minilm.batch_rows=64", "boost.trees=100"],
        "full": ["minilm.weights=microsoft/deberta-v3-base", "minilm.length=256", "minilm.stage.epochs=2",
                 "minilm.stage.lr=2e-5", "minilm.stage.head_lr=1e-4"],
    }  # fmt: skip

    folds: Folds = Multilabel(n=5)
    linear: Linear = Linear()
    nbsvm: NBSVM = NBSVM(alpha=0.1, char=Linear().char)
    boost: Boost = Boost()
    minilm: Encoder = Encoder(weights="sentence-transformers/all-MiniLM-L6-v2")
    blend: Blend = Greedy()

    def write_sample(self, folder: Path) -> None:
        from competitions.toxic.sample import write

        write(folder)

"""Techniques that an ablation tries by default, by the class of the member; a recipe adds its own.

A technique is written as settings, like `set=` but without the member's name. If it can be used in several ways, such
as early and late, it is a dict: name of the way → settings. `{half}` stands for half of the member's epochs, `{more}`
for one epoch more than it has.
"""

Technique = str | dict[str, str]


TECHNIQUES: dict[str, dict[str, Technique]] = {
    "Network": {
        "FGM": {"early": "perturb=FGM", "late": "perturb=FGM(start={half})"},
        "FreeLB": {"early": "perturb=FreeLB", "late": "perturb=FreeLB(start={half})"},
        "AWP": {"early": "perturb=AWP", "late": "perturb=AWP(start={half})"},
        "R-Drop": "rdrop=1",
        "EMA": "average=EMA(decay=0.99)",
        "SWA": "average=SWA",
        "NEFTune": "noise=NEFTune",
        "embedding mixup": "mix=EmbeddingMixup",
        "dropout samples": "samples=5 dropout=0.3",
        "layer decay": "layer_decay=0.9",
        "cosine": "schedule=Cosine",
        "warmup": "warmup=0.2",
        "weight decay": "weight_decay=0.1",
        "larger batches": "accumulate=2",
        "Lookahead": "optimizer=Lookahead",
        "label smoothing": "loss=BCE(smoothing=0.05)",
        "focal loss": "loss=Focal",
        "class smoothing": "loss=CrossEntropy(smoothing=0.1)",
        "Huber loss": "loss=Huber",
        "more epochs": "stage.epochs={more}",
    },
    "Encoder": {
        "pretraining": {"masked tokens": "pretrain=MaskedLM", "contrast": "pretrain=SimCSE"},
        "mixout": "mixout=0.1",
        "fresh top layer": "reinit=1",
        "attention pooling": "pool=attention",
        "frozen layers": "freeze=3",
        "NoisyTune": "noisy_tune=0.15",
        "spectral norm": "spectral_norm=true",
        "both ends of texts": "truncation=head_tail",
    },
    "TextNet": {
        "more word dropout": "word_dropout=0.3",
        "more vector dropout": "vector_dropout=0.4",
    },
    "Boost": {
        "smaller steps": "lr=0.02 trees=1200",
        "more leaves": "num_leaves=63",
        "fewer leaves": "num_leaves=15",
        "larger leaves": "min_leaf=60",
        "fewer columns": "columns=0.4",
        "fewer rows": "rows=0.5",
        "more L2": "l2=10",
        "L1": "l1=1",
    },
    "Linear": {
        "no characters": "char=none",
        "no words": "word=none",
        "balanced": "balanced=true",
        "smoother": "C=1",
        "rougher": "C=10",
    },
    "NBSVM": {
        "no characters": "char=none",
        "balanced": "balanced=true",
        "smoother": "C=0.3",
        "rougher": "C=3",
        "half naive Bayes": "beta=0.5",
        "more smoothing": "alpha=1",
    },
}

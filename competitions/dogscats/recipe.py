"""Dogs vs. Cats Redux (Kaggle, 2016): how likely is it that the animal on a picture is a dog? Scored by log loss."""

from pathlib import Path

from kit import (
    Boost,
    Calibrated,
    Clip,
    Embedding,
    Flips,
    Greedy,
    ImageAugment,
    ImageEncoder,
    LabelledPictures,
    Linear,
    PictureStatistics,
    Recipe,
    Stratified,
    Task,
    Views,
    fine_tuning,
    log_loss,
)


class DogsCats(Recipe):
    """The label stands in the picture's name; the same picture twice, or nearly the same, stays in one fold."""

    task = Task(
        name="dogscats",
        kind="binary",
        id="id",
        images=("image",),
        targets=("label",),
        classes=("cat", "dog"),
        metric=log_loss,
        slug="dogs-vs-cats-redux-kernels-edition",
    )
    files = LabelledPictures(label=r"^(cat|dog)\.")
    presets = {
        "quick": [
            "boost.trees=100",
            "frozen.features=Embedding(encoder=ImageEncoder(size=64)),Embedding(encoder=ImageEncoder(size=96))",
            "net.member.size=64",
        ],
        "full": ["net.weights=convnext_base.fb_in22k_ft_in1k", "net.drop_path=0.1"],
    }

    folds = Stratified(n=5)
    boost = Boost(features=(PictureStatistics(),))
    # of 2,560 numbers each says little, so a strong penalty is best
    frozen = Linear(features=(Embedding(encoder=ImageEncoder(size=160)), Embedding()), C=0.001)
    net = Views(
        member=ImageEncoder(**fine_tuning(epochs=3, augment=ImageAugment(strength="light"))),
        views=(Flips(),),
    )
    # log loss has no limit for a picture that is surely a cat and is a dog: a bound is chosen on out-of-fold rows
    blend = Calibrated(blend=Greedy(), method=Clip())

    def write_sample(self, folder: Path) -> None:
        from competitions.dogscats.sample import write

        write(folder)

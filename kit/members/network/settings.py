"""The settings of all members that the training loop trains. A family of members adds its dataset and network."""

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import Spec, validator
from kit.features.base import not_alone
from kit.member import Member
from kit.rows import Rows
from kit.task import Task
from kit.train.average import Snapshots
from kit.train.schedule import Plateau
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.network.dataset import Dataset
    from kit.members.network.initial import InitialWeights


class Regularise(Spec):
    """Settings of regularisation, for a pretrained encoder and its head."""

    version = 2

    samples: int = Field(1, ge=1, description="dropout masks in each step (Inoue 2019)")
    heads: int = Field(1, ge=1, description="number of heads, trained together; the prediction is their mean")
    diversity: float = Field(0.0, ge=0, description="weight of negative correlation between heads (Liu & Yao 1999)")
    mixout: float = Field(0.0, ge=0, lt=1, description="share of weights replaced by pretrained ones (Lee et al. 2020)")
    weight_noise: float = Field(0.0, ge=0, description="noise on weights, in their standard deviations (Graves 2011)")
    noisy_tune: float = Field(0.0, ge=0, description="noise on pretrained weights, once (Wu et al. 2022)")
    language: float = Field(
        0.0, ge=0, description="weight of the language model's loss (Radford et al. 2018); for decoders"
    )
    spectral_norm: bool = Field(False, description="spectral norm of the head (Miyato et al. 2018)")
    spectral_penalty: float = Field(
        0.0, ge=0, description="weight of the spectral norm penalty (Yoshida & Miyato 2017)"
    )

    @validator(mode="after")
    def _check(self) -> Self:
        if self.diversity and self.heads == 1:
            raise ValueError(f"diversity = {self.diversity} needs heads = 2 or more")
        if self.samples > 1 and self.heads > 1:
            raise ValueError("samples and heads both give several outputs per row; set one of them to 1")
        if self.mixout and self.weight_noise:
            raise ValueError("mixout and weight_noise both change weights in each pass; set one of them to 0")
        return self


class NetworkSettings(Member):
    """Settings of a network that is trained by `kit.train`.

    Batches hold rows of like length under a token budget.
    """

    version = 3
    not_in_identity = ("save_every", "workers")

    batch_tokens: int = Field(2048, ge=64, description="largest number of tokens in a batch, with padding")
    batch_rows: int = Field(64, ge=1, description="largest number of rows in a batch")
    stage: Stage = Field(Stage(), description="epochs, learning rates, techniques")
    then: tuple[Stage, ...] = Field((), description="more stages; each begins with the weights of the one before")
    regularise: Regularise = Field(Regularise(), description="regularisation")
    stop: Literal["none", "valid", "inner"] = Field(
        "none",
        description="epoch that is kept: the last; the best on the validation fold; the best on some train rows",
    )
    stop_by: Literal["metric", "loss"] = Field(
        "metric", description="what scores epochs: the task's metric, or log loss (root mean squared error of values)"
    )
    patience: int | None = Field(None, ge=1, description="epochs without a better score that end a stage; none: all")
    inner: float = Field(0.1, gt=0, lt=1, description="share of train rows held out to score epochs, for stop=inner")
    compile: bool = Field(False, description="torch.compile: a slow start, then faster on a GPU")
    save_every: float = Field(120.0, ge=0, description="seconds between two checkpoints")

    workers: int | None = Field(
        None,
        ge=0,
        description="workers that make batches ahead of the step; none: as many as gain something",
    )

    @validator(mode="after")
    def _check(self) -> Self:
        if self.patience is not None and self.stop == "none":
            raise ValueError(f"patience = {self.patience} has no effect with stop=none; take stop=inner")
        snapping = [isinstance(stage.average, Snapshots) for stage in self.stages]
        if any(snapping) and (any(snapping[:-1]) or self.stop != "none"):
            raise ValueError("average=Snapshots must be in the last stage, with stop=none")
        if self.regularise.language and all(stage.only_head for stage in self.stages):
            raise ValueError("language trains the encoder, but only_head freezes it; leave one of them out")
        if self.regularise.language and any(stage.mix and not stage.only_head for stage in self.stages):
            raise ValueError(
                "language predicts the next token of one text, and mix makes one row of two; leave one out"
            )
        for changing in (stage.augment for stage in self.stages if stage.augment):
            if features := not_alone(self):
                raise ValueError(
                    f"augment={type(changing).__name__}: {features} compares rows, and a changed row "
                    f"is read without them; leave one of them out"
                )
        for stage in self.stages if self.stop == "none" else ():
            if isinstance(stage.schedule, Plateau):
                raise ValueError("schedule=Plateau needs scores, and stop=none computes none; take stop=inner")
            if stage.perturb and stage.perturb.start_score is not None:
                raise ValueError("start_score needs scores, and stop=none computes none; take stop=inner")
        return self

    def check(self, task: Task) -> None:
        super().check(task)
        for stage in self.stages:
            if stage.loss is not None:
                stage.loss.rows(task.kind)  # refuses another kind of task
            changes = stage.augment.changes if stage.augment is not None else ""
            if (changes == "texts" and not task.text) or (changes == "pictures" and not task.images):
                what = f"augment={type(stage.augment).__name__} changes {changes}"
                column = "text column" if changes == "texts" else "column of pictures"
                raise KitError(f"{what}, and task '{task.name}' names no {column}")

    @property
    def uses_weights(self) -> bool:
        return True

    @property
    def early_stops_on_valid(self) -> bool:
        return self.stop == "valid"

    @property
    def uses_metric(self) -> bool:
        return self.stop != "none" and self.stop_by == "metric"

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages, in order."""
        return (self.stage, *self.then)

    @abstractmethod
    def make_dataset(self, rows: Rows) -> "Dataset":
        """What turns rows into tensors, fitted on the train rows; it reads no label."""

    @abstractmethod
    def load_dataset(self, folder: Path) -> "Dataset":
        """The dataset that was saved into a folder."""

    @abstractmethod
    def make_network(self, dataset: Any, outputs: int, kind: str, initial: "InitialWeights | None" = None) -> Any:
        """The network that reads the tensors of this dataset and gives logits (n, outputs), see `kit.train.model`.

        Args:
            dataset: the result of `make_dataset` or `load_dataset`.
            outputs: columns of the prediction.
            kind: of the task: binary, multilabel, multiclass or regression.
            initial: a network to train, and where its weights come from; pretrained ones if it has any. None: a network
                of the same shape, whose weights will come from a file.
        """

    def pretrained_body(self, dataset: Any, rows: Rows, work: Path) -> Any:
        """A body that has learnt something before the task; None, by default: the network makes its own.

        Args:
            dataset: the result of `make_dataset`.
            rows: the train rows.
            work: folder of the fit, for its logs and for what a killed fit goes on from.
        """
        return None

    def prepare(self, rows: Rows) -> None:
        self.make_dataset(rows).inputs(rows)

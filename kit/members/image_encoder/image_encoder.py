"""ImageEncoder: a network of pictures, fine-tuned. Its settings; `dataset` and `backbone` import torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import validator
from kit.members.network.network import Network
from kit.rows import Rows
from kit.train.schedule import Cosine
from kit.train.stage import Stage

if TYPE_CHECKING:
    from kit.members.image_encoder.dataset import PictureDataset

MODES = {"center": "crop", "squash": "squash", "border": "fit"}  # timm's crop_mode → how pictures are resized


class ImageEncoder(Network):
    """Fine-tunes any network of timm, with weights from the model hub, a folder or a package (Wightman 2019).

    Mean, deviation, interpolation, crop and size of its pictures are those that the network was trained with. Several
    pictures of a row are encoded one by one, and their vectors joined. A picture that cannot be read teaches nothing,
    and is predicted as the mean of the train rows.
    """

    weights: str = Field(
        "timm/tf_efficientnet_lite0.in1k",
        description="name on the hub, with or without timm/ and tag, or a model folder",
    )
    pretrained: bool = Field(True, description="begin with these weights; false: with random ones, which no file holds")
    size: int | None = Field(None, ge=8, description="pixels of height and width; none: as the network was trained")
    resize: Literal["own", "crop", "squash", "fit"] = Field(
        "own", description="how pictures become squares: cut at the edges, squashed, with grey edges, or as in training"
    )
    crop: float | None = Field(
        None,
        gt=0,
        le=1,
        description="share of the scaled picture's side that is shown; none: as the network was trained",
    )
    pool: Literal["own", "avg", "max", "gem", "attention"] = Field(
        "own", description="how places of a picture become one vector; gem: a generalised mean, learnt"
    )
    drop_path: float = Field(0.0, ge=0, lt=1, description="share of branches dropped in training (Huang et al. 2016)")
    pictures: int = Field(16, ge=1, description="largest number of pictures of a row; of more, as many evenly spread")
    join: Literal["mean", "max", "attention", "gru"] = Field(
        "mean", description="how the pictures of a row become one vector; gru: a GRU with attention"
    )
    reinit: int = Field(0, ge=0, description="top layers, or blocks, that are re-initialised (Zhang et al. 2021)")
    freeze_norm: bool = Field(False, description="batch norms keep statistics and weights, for small batches")
    checkpointing: bool = Field(False, description="recompute activations in the backward pass: less memory, slower")
    batch_tokens: int = Field(64, ge=1, description="largest number of pictures in a batch; a row may have several")
    batch_rows: int = Field(32, ge=1, description="largest number of rows in a batch")
    stage: Stage = Field(
        Stage(epochs=4, lr=3e-4, head_lr=2e-3, weight_decay=0.05, schedule=Cosine()),
        description="epochs, learning rates, techniques",
    )

    @validator(mode="after")
    def _check_picture_settings(self) -> Self:
        if self.regularise.language:
            raise ValueError("language is a loss of networks of text; leave it out")
        if self.reinit and not self.pretrained:
            raise ValueError("reinit: with pretrained=false all layers begin at random; leave it out")
        return self

    def file_checksums(self) -> dict[str, str]:
        from kit.weights import local_sums

        return local_sums(weights=self.full_name_of_weights) if self.pretrained else {}

    @property
    def full_name_of_weights(self) -> str:
        """The folder, or the name on the hub, where timm is the owner unless another is named."""
        alone = "/" not in self.weights and not Path(self.weights).expanduser().exists()
        return f"timm/{self.weights}" if alone else self.weights

    @property
    def needs_images(self) -> bool:
        return True

    @property
    def reads_only_images(self) -> bool:
        return True

    @property
    def prepares(self) -> str:
        return "pictures"

    def make_dataset(self, rows: Rows) -> "PictureDataset":
        from kit.images import Resize
        from kit.members.image_encoder import backbone as of
        from kit.members.image_encoder.dataset import PictureDataset, have_several
        from kit.weights import find_weights, is_model

        named = of.tagged(self.full_name_of_weights)
        own = Path(self.weights).expanduser()
        folder = find_weights(named) if self.pretrained else own if is_model(own) else None
        config = of.config_of(named, folder)
        asked = of.input_of(config)
        side = self.size or asked["input_size"][-1]
        whole = max(side, int(side / (self.crop or asked["crop_pct"])))
        smooth = asked["interpolation"] if asked["interpolation"] in ("bilinear", "bicubic", "lanczos") else "bilinear"
        mode = MODES.get(asked["crop_mode"], "crop") if self.resize == "own" else self.resize
        resize = Resize(size=whole, mode=mode, interpolation=smooth)
        weights = folder if self.pretrained else None
        return PictureDataset(config, resize, side, self.pictures, have_several(rows), weights)

    def load_dataset(self, folder: Path) -> "PictureDataset":
        from kit.members.image_encoder.dataset import PictureDataset

        return PictureDataset.load(folder)

    def make_body(self, dataset: "PictureDataset", rows: Rows | None = None) -> Any:
        from kit.members.image_encoder import backbone as of
        from kit.models.pieces import PiecewiseEncoder

        config, side = dataset.config, dataset.side
        if rows is None or dataset.weights is None:
            backbone = of.blank_backbone(config, side, self.drop_path)
        else:
            backbone = of.pretrained_backbone(config, dataset.weights, side, self.drop_path)
        body = of.body_of(backbone, config, self.pool, self.freeze_norm)
        if rows is not None and self.reinit:
            of.reinitialise(body, of.blank_backbone(config, side), self.reinit)
        if rows is not None and self.checkpointing:
            of.checkpoint_activations(body.backbone)
        if not self.pretrained:
            body.begins_at_random = True
        return PiecewiseEncoder(body, self.join) if dataset.several else body

    def check(self, task: Any) -> None:
        super().check(task)
        if any(stage.mix for stage in self.stages) and len(task.images) > 1:
            raise KitError(
                "mix pairs rows of one picture each, and this task has several columns of pictures; leave it out"
            )

"""The pictures of train batches as a member's network reads them, for a person who looks at what an augment does."""

from dataclasses import dataclass

import numpy as np

from kit.core.errors import KitError
from kit.member import Member
from kit.members.concat.concat import Concat
from kit.members.image_encoder.image_encoder import ImageEncoder
from kit.members.network.network import Network
from kit.members.seeds import Seeds
from kit.members.views import Views
from kit.members.wrapper import Wrapper
from kit.rows import Rows
from kit.train.stage import Stage
from kit.tta import with_views


@dataclass(frozen=True)
class TrainPicture:
    """A picture of a train batch.

    Attributes:
        at: position of its row among all rows of the competition, train rows first.
        pixels: (side, side, 3) uint8, before the network's mean and deviation.
        changed: whether the augment was asked to change this row in this epoch.
    """

    at: int
    pixels: np.ndarray
    changed: bool


def picture_network(member: Member) -> tuple[Network, ImageEncoder] | None:
    """The network within a member that is trained on pictures, and its part that reads them; None if there is none.

    Of several fits of a member with other seeds the first one counts, and of several parts that read pictures the first
    one that is shown changed pictures.
    """
    if isinstance(member, Seeds):
        return picture_network(member.parts[0])
    if isinstance(member, Wrapper):
        return picture_network(member.member)
    if isinstance(member, ImageEncoder):
        return member, member
    return _of_join(member) if isinstance(member, Concat) else None


def _of_join(member: Concat) -> tuple[Network, ImageEncoder] | None:
    within = [found for part in member.parts if (found := picture_network(part)) is not None]
    alone = within if member.start == "fitted" else []  # each part is trained by itself first
    pairs: list[tuple[Network, ImageEncoder]] = [*((member, part) for _, part in within), *alone]
    return next((pair for pair in pairs if _changing(pair[0]) is not None), pairs[0] if pairs else None)


def train_pictures(member: Member, train: Rows, valid: Rows, most: int) -> list[TrainPicture]:
    """The pictures of the first batches of the first stage that changes pictures; without one, of the first stage.

    They are of one epoch, so each row is there once.

    Seeds, rows and epoch are those of the fit, so these are the very pixels that the network learns from. Only what is
    mixed or made noisy within the network comes later. A Concat has the same pictures, perhaps in other batches. Of
    several pictures of a row the first one is shown.

    Args:
        member: reads pictures, see `picture_network`.
        train: the train rows of a fold, with labels.
        valid: its validation rows.
        most: number of pictures.

    Raises:
        KitError: no network in the member is trained on pictures; or the weights, or a package, are missing.
    """
    from kit.members.network.fitting import readable_rows, split, stage_batches
    from kit.train.step_plan import step_plans

    if (found := picture_network(member)) is None:
        raise KitError(f"{type(member).__name__}: no network in it is trained on pictures")
    spec, encoder = found
    rows = split(spec, _with_own_views(member, train), valid)[0]
    dataset = encoder.make_dataset(rows)
    dataset.streams = True
    rows = readable_rows(dataset, rows)
    stages = [
        stage if stage.augment is None or stage.augment.changes == "pictures" else _without_augment(stage)
        for stage in spec.stages
    ]
    batches = stage_batches(spec, stages, dataset, rows, rows.labels)
    plans = step_plans(batches, [stage.for_loop() for stage in stages])
    shown, originals = _changing(spec) or 0, train.source.original
    pictures = list[TrainPicture]()
    for together in batches[shown].plan(plans[shown].before + 1):
        if len(pictures) >= most:
            break
        own, epoch = batches[shown].in_order(together)
        pixels = batches[shown][together]["inputs"]["pixels"]
        first = (pixels[:, 0] if pixels.ndim == 5 else pixels).permute(0, 2, 3, 1).numpy()
        places = rows.at[own] % len(originals.frame)
        pictures += [TrainPicture(int(at), p, bool(e)) for at, p, e in zip(places, first, epoch, strict=True)]
    return pictures[:most]


def _changing(spec: Network) -> int | None:
    """The first stage that changes pictures; None if there is none."""
    changing = (i for i, stage in enumerate(spec.stages) if stage.augment and stage.augment.changes == "pictures")
    return next(changing, None)


def _without_augment(stage: Stage) -> Stage:
    return stage.model_copy(update={"augment": None})


def _with_own_views(member: Member, rows: Rows) -> Rows:
    """The rows that a member's network is trained on: with views, where the member trains on views."""
    while isinstance(member, Wrapper):
        if isinstance(member, Views) and member.train:
            rows = with_views(rows, member.views, member.seed)
        member = member.parts[0] if isinstance(member, Seeds) else member.member
    return rows

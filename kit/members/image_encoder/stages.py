"""The stages in which fastai fine-tunes a network of pictures, as settings of a member."""

from collections.abc import Sequence
from typing import Any

from kit.core.errors import KitError
from kit.train.schedule import OneCycle
from kit.train.stage import Stage


def fine_tuning(
    epochs: int = 4,
    head_epochs: int = 1,
    lr: float = 1e-3,
    head_lr: float = 4e-3,
    layer_decay: float = 0.8,
    sizes: Sequence[int] = (),
    **settings: Any,
) -> dict[str, Any]:
    """The recipe of fastai (Howard & Gugger 2020): first the new head alone, then everything.

    The first stage trains the head on a frozen body. In the others all layers learn, lower ones more slowly
    (discriminative rates, Howard & Ruder 2018), each stage with one cycle of the rate (Smith 2018). With several sizes
    pictures grow from stage to stage (progressive resizing), which costs less time and is an augmentation in itself.

        ImageEncoder(**fine_tuning(epochs=6, sizes=(128, 224), augment=ImageAugment()))

    Args:
        epochs: passes over the train rows with all layers, shared among the sizes.
        head_epochs: passes with the head alone.
        lr: peak rate of the top layer of the body.
        head_lr: rate of the head in its own stage; in the others it is at most this, and twice `lr`.
        layer_decay: factor on the rate from each layer to the one below it.
        sizes: pixels of the pictures' sides, in order; the head learns on the first. Empty: the member's own.
        settings: of the stages in which everything learns, such as `augment`, `mix` or `loss`.

    Returns:
        `stage` and `then` of a member.

    Raises:
        KitError: there are more sizes than epochs.
    """
    if len(sizes) > epochs:
        raise KitError(f"fine_tuning: {epochs} epochs cannot be shared among {len(sizes)} sizes; raise epochs")
    shown: list[int | None] = list(sizes) or [None]
    shares = [epochs // len(shown) + (i < epochs % len(shown)) for i in range(len(shown))]
    head = {name: value for name, value in settings.items() if name in ("loss", "precision", "weight_decay")}
    first = Stage(
        epochs=head_epochs, only_head=True, lr=head_lr, head_lr=head_lr, size=shown[0], schedule=OneCycle(), **head
    )
    given: dict[str, Any] = {
        "lr": lr,
        "head_lr": min(head_lr, 2 * lr),
        "layer_decay": layer_decay,
        "schedule": OneCycle(),
    }
    later = [
        Stage(**given | settings | {"epochs": share, "size": size}) for share, size in zip(shares, shown, strict=True)
    ]
    return {"stage": first, "then": tuple(later)}

"""Every loss of `kit.losses`."""

import kit.losses
from kit.losses import BiTempered, CrossEntropy, Flooding, Loss, Ordinal


def concrete_losses() -> list[tuple[Loss, str]]:
    """Each loss with each kind of task that it serves, but Flooding, which holds another one."""
    classes = [getattr(kit.losses, name) for name in kit.losses.__all__]
    made = [c() for c in classes if isinstance(c, type) and issubclass(c, Loss) and c not in (Loss, Flooding)]
    made += [Ordinal(score="squared"), CrossEntropy(smoothing=0.1), BiTempered(smoothing=0.1)]
    return [(loss, kind) for loss in made for kind in sorted(loss.kinds)]

"""R-Drop: two passes under different dropout masks are to agree."""

from dataclasses import dataclass

from torch import Tensor, nn

from kit.layers.heads import Link, checked
from kit.spec import KitError
from kit.train.objective import Batch, Objective, Step
from kit.train.objectives.each import weighed


@dataclass(frozen=True)
class RDrop:
    """R-Drop (Liang et al. 2021): two passes, and the divergence between their predictions.

    Loss = (first + second) / 2 + alpha · ½ (KL(p‖q) + KL(q‖p)), as in the authors' code. The paper's formula sums the
    two losses instead, so its α is twice this one. Gradients flow through both passes;
    rows count by the batch's weights, if it has any.

    Attributes:
        objective: what each pass computes; its output is logits (n, k), or (members, n, k).
        alpha: weight of the divergence.
        link: what is compared: Bernoulli probabilities, averaged over columns (`sigmoid`), one categorical
            distribution (`softmax`), or values, by their mean squared difference (`identity`).
    """

    objective: Objective
    alpha: float = 1.0
    link: Link = "sigmoid"

    def __post_init__(self) -> None:
        checked(self.link)
        if self.alpha < 0:
            raise KitError(f"RDrop.alpha = {self.alpha} is negative")

    def __call__(self, model: nn.Module, batch: Batch) -> Step:
        first, second = self.objective(model, batch), self.objective(model, batch)
        rows = divergence(first.output.float(), second.output.float(), self.link)
        apart = weighed(rows.reshape(-1, rows.shape[-1]).mean(0), batch)
        loss = (first.loss + second.loss) / 2 + self.alpha * apart
        return Step(loss, first.output, first.parts | {"divergence": apart.detach()})


def divergence(a: Tensor, b: Tensor, link: Link) -> Tensor:
    """How far two predictions lie apart, row by row: logits (…, n, k) twice → (…, n).

    KL(p‖q) + KL(q‖p) = Σ (p − q) (log p − log q); for Bernoulli p and q, (p − q) (logit p − logit q).
    """
    if link == "softmax":
        p, q = a.log_softmax(-1), b.log_softmax(-1)
        return ((p.exp() - q.exp()) * (p - q)).sum(-1) / 2
    if link == "sigmoid":
        return ((a.sigmoid() - b.sigmoid()) * (a - b)).mean(-1) / 2
    return (a - b).square().mean(-1)

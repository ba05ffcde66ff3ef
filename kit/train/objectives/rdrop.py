"""R-Drop: two passes with different dropout masks should give similar predictions."""

from dataclasses import dataclass

from torch import Tensor, nn

from kit.core.errors import KitError
from kit.layers.heads import Link, checked
from kit.train.objective import Batch, Objective, Step
from kit.train.objectives.mean_of_outputs import weighted_sum


@dataclass(frozen=True)
class RDrop:
    """R-Drop (Liang et al. 2021): two forward passes, plus the divergence between their predictions.

    Loss = (first + second) / 2 + alpha · ½ (KL(p‖q) + KL(q‖p)), as in the authors' code. The paper's formula sums the
    two losses instead, so its α is twice this one. Gradients flow through both passes. If the batch has weights of
    rows, they are used.

    Attributes:
        objective: the loss of one pass; its output is logits (n, k), or (members, n, k).
        alpha: factor of the divergence, not negative.
        link: what is compared. `sigmoid`: Bernoulli probabilities, the mean over columns; `softmax`: one categorical
            distribution; `identity`: values, by their mean squared difference.

    Raises:
        KitError: alpha is negative, or there is no such link.
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
        rows = symmetric_kl(first.output.float(), second.output.float(), self.link)
        apart = weighted_sum(rows.reshape(-1, rows.shape[-1]).mean(0), batch)
        mean = first._replace(loss=(first.loss + second.loss) / 2)
        if first.unflooded is not None and second.unflooded is not None:
            mean = mean._replace(unflooded=(first.unflooded + second.unflooded) / 2)
        return mean.plus(self.alpha * apart, divergence=apart)


def symmetric_kl(a: Tensor, b: Tensor, link: Link) -> Tensor:
    """Divergence of two predictions of each row, ½ (KL(p‖q) + KL(q‖p)): logits (…, n, k) twice → (…, n).

    KL(p‖q) + KL(q‖p) = Σ (p − q) (log p − log q). For Bernoulli p and q it is (p − q) (logit p − logit q), here
    averaged over the columns. For the link `identity` it is the mean squared difference.
    """
    if link == "softmax":
        p, q = a.log_softmax(-1), b.log_softmax(-1)
        return ((p.exp() - q.exp()) * (p - q)).sum(-1) / 2
    if link == "sigmoid":
        return ((a.sigmoid() - b.sigmoid()) * (a - b)).mean(-1) / 2
    return (a - b).square().mean(-1)

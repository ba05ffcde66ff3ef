"""Network: a member that the training loop trains."""

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from kit.core.spec import validator
from kit.member import Predictor
from kit.members.network.settings import NetworkSettings
from kit.rows import Rows

if TYPE_CHECKING:
    from kit.members.network.initial import InitialWeights
    from kit.train.stop import ShouldStop


class TrainedMember(NetworkSettings):
    """A member that the training loop trains. A family of members says how its dataset and network are made."""

    def learn(self, train: Rows, valid: Rows, work: Path) -> Predictor:
        return self.learn_until(train, valid, work, None)

    def learn_until(self, train: Rows, valid: Rows, work: Path, should_stop: "ShouldStop | None") -> Predictor:
        from kit.members.network.fitting import fit

        return fit(self, train, valid, work, should_stop=should_stop)


class Network(TrainedMember):
    """A body that makes features of a row, and a head on them, trained together."""

    dropout: float = Field(0.1, ge=0, lt=1, description="share of the body's features dropped in training")
    head_hidden: int = Field(
        0, ge=0, description="width of a hidden layer in the head, with batch norm (Howard & Ruder 2018); 0: linear"
    )

    @validator(mode="after")
    def _check_head(self) -> Self:
        if self.head_hidden and self.regularise.samples > 1:
            raise ValueError("samples are dropout masks in front of a linear head; set head_hidden to 0")
        return self

    @abstractmethod
    def make_body(self, dataset: Any, rows: Rows | None = None) -> Any:
        """The body that reads the tensors of this dataset, see `kit.models.body`.

        Args:
            dataset: the result of `make_dataset` or `load_dataset`.
            rows: the train rows: the body has its initial weights, pretrained ones if it has any. None: a body of the
                same shape, whose weights will come from a file.
        """

    def make_network(self, dataset: Any, outputs: int, kind: str, initial: "InitialWeights | None" = None) -> Any:
        from kit.layers.heads import LINKS
        from kit.models.headed import Headed

        r, bias = self.regularise, initial.bias if initial else None
        body = initial.body if initial else None
        if body is None:
            body = self.make_body(dataset, initial.rows if initial else None)
        return Headed(body, outputs, self.dropout, bias, self.head_hidden, r.heads, r.samples, LINKS[kind])

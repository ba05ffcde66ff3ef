"""Networks: plain torch modules, each usable alone."""

from kit.models.awdlstm import AWDLSTM
from kit.models.concat import Concat
from kit.models.dpcnn import DPCNN
from kit.models.encoder import TextEncoder
from kit.models.han import HAN
from kit.models.hcn import HCN
from kit.models.headed import Headed
from kit.models.language_model import LanguageModel
from kit.models.onlstm import ONLSTM
from kit.models.perceptron import Perceptron
from kit.models.pieces import Pieces
from kit.models.rcnn import RCNN
from kit.models.rnn import RNN
from kit.models.textcnn import TextCNN
from kit.models.textnet import SequenceEmbedding, TextNet
from kit.models.transformer import Transformer

__all__ = [
    "AWDLSTM", "DPCNN", "HAN", "HCN", "ONLSTM", "RCNN", "RNN", "Concat", "Headed", "LanguageModel", "Perceptron",
    "Pieces", "SequenceEmbedding", "TextCNN", "TextEncoder", "TextNet", "Transformer",
]  # fmt: skip

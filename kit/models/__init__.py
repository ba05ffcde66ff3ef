"""Networks: plain torch modules. Each can be used by itself."""

from typing import TYPE_CHECKING

from kit.core.lazy import lazy
from kit.models.awdlstm import AWDLSTMModule
from kit.models.columns import ColumnTokens, ColumnVector
from kit.models.concat import ConcatModule
from kit.models.dpcnn import DPCNNModule
from kit.models.encoder import TextEncoder
from kit.models.ft_transformer import FTTransformerModule
from kit.models.han import HANModule
from kit.models.hcn import HCNModule
from kit.models.headed import Headed
from kit.models.language_model import LanguageModel
from kit.models.onlstm import ONLSTMModule
from kit.models.perceptron import PerceptronModule
from kit.models.pieces import PiecewiseEncoder
from kit.models.rcnn import RCNNModule
from kit.models.realmlp import RealMLPModule
from kit.models.rnn import RNNModule
from kit.models.tabm import TabMModule
from kit.models.tabular import TabularModule
from kit.models.tabular_resnet import TabularResNetModule
from kit.models.textcnn import TextCNNModule
from kit.models.textnet import SequenceEmbedding, TextNetModule
from kit.models.transformer import TransformerModule

if TYPE_CHECKING:
    from kit.models.timm_encoder import TimmEncoder

__all__ = [
    "AWDLSTMModule",
    "ColumnTokens",
    "ColumnVector",
    "ConcatModule",
    "DPCNNModule",
    "FTTransformerModule",
    "HANModule",
    "HCNModule",
    "Headed",
    "LanguageModel",
    "ONLSTMModule",
    "PerceptronModule",
    "PiecewiseEncoder",
    "RCNNModule",
    "RNNModule",
    "RealMLPModule",
    "SequenceEmbedding",
    "TabMModule",
    "TabularModule",
    "TabularResNetModule",
    "TextCNNModule",
    "TextEncoder",
    "TextNetModule",
    "TimmEncoder",
    "TransformerModule",
]  # fmt: skip

__getattr__ = lazy(__name__, __file__)  # timm is slow to import

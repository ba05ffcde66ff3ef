"""Members: all kinds of model, with the common interface of `kit.member`. Each is imported when it is first used."""

from typing import TYPE_CHECKING

from kit.core.lazy import lazy

if TYPE_CHECKING:
    from kit.members.concat.concat import Concat, pairs
    from kit.members.embedding import Embedding
    from kit.members.encoder.encoder import Encoder
    from kit.members.estimator.estimator import Estimator
    from kit.members.image_encoder.image_encoder import ImageEncoder
    from kit.members.image_encoder.stages import fine_tuning
    from kit.members.linear import Linear
    from kit.members.module.module import Module
    from kit.members.nbsvm import NBSVM
    from kit.members.pretrained_tabular.pretrained_tabular import PretrainedTabular
    from kit.members.row_as_text import RowAsText
    from kit.members.seeds import Seeds
    from kit.members.selection.selected import Selected
    from kit.members.tabular.ft_transformer import FTTransformer
    from kit.members.tabular.perceptron import Perceptron
    from kit.members.tabular.realmlp import RealMLP
    from kit.members.tabular.resnet import TabularResNet
    from kit.members.tabular.tabicl import TabICL
    from kit.members.tabular.tabm import TabM
    from kit.members.tabular.tabpfn import TabPFN
    from kit.members.textnet.textnet import TextNet, ULMFiT
    from kit.members.transformed_target import TransformedTarget
    from kit.members.trees.boost import Boost
    from kit.members.trees.catboost import CatBoost
    from kit.members.trees.xgboost import XGBoost
    from kit.members.views import Views

__all__ = [
    "NBSVM", "Boost", "CatBoost", "Concat", "Embedding", "Encoder", "Estimator", "FTTransformer", "ImageEncoder",
    "Linear", "Module", "Perceptron", "PretrainedTabular", "RealMLP", "RowAsText", "Seeds", "Selected", "TabICL",
    "TabM", "TabPFN", "TabularResNet", "TextNet", "TransformedTarget", "ULMFiT", "Views", "XGBoost", "fine_tuning",
    "pairs",
]  # fmt: skip

__getattr__ = lazy(__name__, __file__)

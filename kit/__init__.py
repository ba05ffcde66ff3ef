"""kit: folds, members, out-of-fold predictions, blends and submissions for machine-learning competitions.

    from kit import Boost, Greedy, Linear, Recipe, Stratified, Task, roc_auc

offers what a notebook needs. A name is imported when it is first used, so `import kit` stays light.
"""

from typing import TYPE_CHECKING

from kit.core.lazy import lazy, listing

if TYPE_CHECKING:
    from kit.augment import (
        AEDA,
        EDA,
        Albumentations,
        Augment,
        BackTranslation,
        CaseNoise,
        Chain,
        CharacterNoise,
        ClauseSwap,
        ContextualWords,
        Crop,
        HanDelete,
        HanSimilar,
        HanSwap,
        HanWords,
        ImageAugment,
        KeyboardErrors,
        OCRErrors,
        OneOf,
        RandAugment,
        RandomDeletion,
        RandomInsertion,
        RandomSwap,
        SentenceDelete,
        SentenceShuffle,
        Sometimes,
        SpellingErrors,
        SynonymReplacement,
        WordNoise,
        WordSplit,
    )
    from kit.core.errors import KitError
    from kit.core.spec import Spec
    from kit.ensemble import (
        Auto,
        BetaCalibration,
        Blend,
        Calibrated,
        Calibration,
        Clip,
        Geometric,
        Greedy,
        HillClimb,
        Isotonic,
        LeastSquares,
        Logistic,
        Mean,
        MultiLayerStack,
        PerColumn,
        PlattScaling,
        Power,
        PriorShift,
        RankMean,
        Ridge,
        Simplex,
        Stack,
        TemperatureScaling,
        Trees,
        VectorScaling,
    )
    from kit.features.arithmetic import Arithmetic
    from kit.features.base import Features
    from kit.features.categories import Crosses, FrequencyEncoding, NumbersAsCategories, RareLevels
    from kit.features.dates import DateFeatures
    from kit.features.groups import GroupStatistics
    from kit.features.neighbours import NeighbourTargets
    from kit.features.pictures import PictureStatistics
    from kit.features.rowwise import MissingPatterns, RowStatistics
    from kit.features.sides.aggregates import SideAggregates
    from kit.features.sides.deep import DeepFeatures
    from kit.features.target_encoding import TargetEncoding
    from kit.folds import Folds, Grouped, KFold, Multilabel, Predefined, Stratified, StratifiedGrouped, TimeSeries
    from kit.images import Resize
    from kit.images.labelled import LabelledPictures
    from kit.losses import (
        BCE,
        Asymmetric,
        BiTempered,
        CrossEntropy,
        Flooding,
        Focal,
        Huber,
        Loss,
        Ordinal,
        Quantile,
        SoftAUC,
        SoftF1,
        Squared,
    )
    from kit.member import Member, Predictor
    from kit.members import (
        NBSVM,
        Boost,
        CatBoost,
        Concat,
        Embedding,
        Encoder,
        Estimator,
        FTTransformer,
        ImageEncoder,
        Linear,
        Module,
        Perceptron,
        PretrainedTabular,
        RealMLP,
        RowAsText,
        Seeds,
        Selected,
        TabICL,
        TabM,
        TabPFN,
        TabularResNet,
        TextNet,
        TransformedTarget,
        ULMFiT,
        Views,
        XGBoost,
        fine_tuning,
        pairs,
    )
    from kit.members.selection.adversarial import AdversarialDrop
    from kit.members.selection.importance import NullImportance, PermutationImportance
    from kit.members.selection.stepwise import Stepwise
    from kit.members.tabular.numbers import PBLD, LinearNumbers, Periodic, PiecewiseLinear
    from kit.members.textnet.nets import AWDLSTM, DPCNN, HAN, HCN, ONLSTM, RCNN, RNN, TextCNN, Transformer
    from kit.metrics import (
        Metric,
        accuracy,
        average_precision,
        balanced_accuracy,
        brier,
        by_group,
        column_weighted,
        concordance,
        f1,
        f_beta,
        gini,
        log_loss,
        macro_f1,
        mae,
        mape,
        mcc,
        mean_column_log_loss,
        mean_roc_auc,
        micro_f1,
        ndcg,
        ndcg_at,
        pearson,
        pinball,
        precision_at,
        quadratic_kappa,
        r2,
        recall_at,
        rmse,
        rmsle,
        roc_auc,
        row_weighted,
        smape,
        spearman,
    )
    from kit.pretrain import DAE, VAE, CausalLM, LanguageModelling, MaskedLM, Pretraining, SimCSE, TransformerDAE
    from kit.reading.form import Form
    from kit.rows import Rows
    from kit.session import CrossValidation, Recipe, Session, cross_validate
    from kit.sides.side import Side
    from kit.table import Table, read_table
    from kit.tables.scalers import QuantileScaling, RankGauss, RobustScaling, Scaler, StandardScaling
    from kit.task import Medals, Task
    from kit.testing import check_member, check_recipe
    from kit.text import Grams, Tfidf
    from kit.text.segment import Jieba, Ltp, Segmenter, Words
    from kit.text.statistics import TextStatistics
    from kit.text.vectors import FastText, VectorFile, Vectors, Word2Vec
    from kit.train import (
        AWP,
        EMA,
        FGM,
        FGSM,
        PGD,
        SGD,
        SWA,
        VAT,
        Adam,
        AdamW,
        Average,
        Constant,
        Cosine,
        CosineLog,
        CosineRestarts,
        CutMix,
        EmbeddingMixup,
        FlatCosine,
        FreeLB,
        GaussianNoise,
        GradientPenalty,
        Lamb,
        Lars,
        LinearDecay,
        Lookahead,
        LoopStage,
        Mix,
        Mixup,
        NEFTune,
        Noise,
        OneCycle,
        Optimizer,
        Perturb,
        Plateau,
        RAdam,
        Schedule,
        SlantedTriangular,
        Snapshots,
        Stage,
        UniformNoise,
    )
    from kit.tta import Augmented, FiveCrops, Flips, Rotations, Scales, Window, Windows
    from kit.tune import choice, integer, log_float, log_int, number

__version__ = "0.1.0"

__all__ = [
    "AEDA", "AWDLSTM", "AWP", "BCE", "DAE", "DPCNN", "EDA", "EMA", "FGM", "FGSM", "HAN", "HCN", "NBSVM", "ONLSTM",
    "PBLD", "PGD", "RCNN", "RNN", "SGD", "SWA", "VAE", "VAT", "Adam", "AdamW", "AdversarialDrop", "Albumentations",
    "Arithmetic", "Asymmetric", "Augment", "Augmented", "Auto", "Average", "BackTranslation", "BetaCalibration",
    "BiTempered", "Blend", "Boost", "Calibrated", "Calibration", "CaseNoise", "CatBoost", "CausalLM", "Chain",
    "CharacterNoise", "ClauseSwap", "Clip", "Concat", "Constant", "ContextualWords", "Cosine", "CosineLog",
    "CosineRestarts", "Crop", "CrossEntropy", "CrossValidation", "Crosses", "CutMix", "DateFeatures", "DeepFeatures",
    "Embedding", "EmbeddingMixup", "Encoder", "Estimator", "FTTransformer", "FastText", "Features", "FiveCrops",
    "FlatCosine", "Flips", "Flooding", "Focal", "Folds", "Form", "FreeLB", "FrequencyEncoding", "GaussianNoise",
    "Geometric", "GradientPenalty", "Grams", "Greedy", "GroupStatistics", "Grouped", "HanDelete", "HanSimilar",
    "HanSwap", "HanWords", "HillClimb", "Huber", "ImageAugment", "ImageEncoder", "Isotonic", "Jieba", "KFold",
    "KeyboardErrors", "KitError", "LabelledPictures", "Lamb", "LanguageModelling", "Lars", "LeastSquares", "Linear",
    "LinearDecay", "LinearNumbers", "Logistic", "Lookahead", "LoopStage", "Loss", "Ltp", "MaskedLM", "Mean", "Medals",
    "Member", "Metric", "MissingPatterns", "Mix", "Mixup", "Module", "MultiLayerStack", "Multilabel", "NEFTune",
    "NeighbourTargets", "Noise", "NullImportance", "NumbersAsCategories", "OCRErrors", "OneCycle", "OneOf", "Optimizer",
    "Ordinal", "PerColumn", "Perceptron", "Periodic", "PermutationImportance", "Perturb", "PictureStatistics",
    "PiecewiseLinear", "Plateau", "PlattScaling", "Power", "Predefined", "Predictor", "PretrainedTabular",
    "Pretraining", "PriorShift", "Quantile", "QuantileScaling", "RAdam", "RandAugment", "RandomDeletion",
    "RandomInsertion", "RandomSwap", "RankGauss", "RankMean", "RareLevels", "RealMLP", "Recipe", "Resize", "Ridge",
    "RobustScaling", "Rotations", "RowAsText", "RowStatistics", "Rows", "Scaler", "Scales", "Schedule", "Seeds",
    "Segmenter", "Selected", "SentenceDelete", "SentenceShuffle", "Session", "Side", "SideAggregates", "SimCSE",
    "Simplex", "SlantedTriangular", "Snapshots", "SoftAUC", "SoftF1", "Sometimes", "Spec", "SpellingErrors", "Squared",
    "Stack", "Stage", "StandardScaling", "Stepwise", "Stratified", "StratifiedGrouped", "SynonymReplacement", "TabICL",
    "TabM", "TabPFN", "Table", "TabularResNet", "TargetEncoding", "Task", "TemperatureScaling", "TextCNN", "TextNet",
    "TextStatistics", "Tfidf", "TimeSeries", "TransformedTarget", "Transformer", "TransformerDAE", "Trees", "ULMFiT",
    "UniformNoise", "VectorFile", "VectorScaling", "Vectors", "Views", "Window", "Windows", "Word2Vec", "WordNoise",
    "WordSplit", "Words", "XGBoost", "__version__", "accuracy", "average_precision", "balanced_accuracy", "brier",
    "by_group", "check_member", "check_recipe", "choice", "column_weighted", "concordance", "cross_validate", "f1",
    "f_beta", "fine_tuning", "gini", "integer", "log_float", "log_int", "log_loss", "macro_f1", "mae", "mape", "mcc",
    "mean_column_log_loss", "mean_roc_auc", "micro_f1", "ndcg", "ndcg_at", "number", "pairs", "pearson", "pinball",
    "precision_at", "quadratic_kappa", "r2", "read_table", "recall_at", "rmse", "rmsle", "roc_auc", "row_weighted",
    "smape", "spearman",
]  # fmt: skip

__getattr__ = lazy(__name__, __file__)
__dir__ = listing(__all__)

"""Metrics, and intervals of scores."""

from kit.metrics.by_group import by_group
from kit.metrics.check import undefined_columns
from kit.metrics.classification import accuracy, balanced_accuracy, f1, f_beta, macro_f1, mcc, micro_f1
from kit.metrics.metric import Metric, metric_named
from kit.metrics.names import METRICS
from kit.metrics.ordinal import quadratic_kappa
from kit.metrics.probability import brier, log_loss, mean_column_log_loss
from kit.metrics.ranking import average_precision, concordance, gini, mean_roc_auc, roc_auc
from kit.metrics.regression import mae, mape, pearson, pinball, r2, rmse, rmsle, smape, spearman
from kit.metrics.top_k import ndcg, ndcg_at, precision_at, recall_at
from kit.metrics.weighted import column_weighted, row_weighted

__all__ = [
    "METRICS", "Metric", "accuracy", "average_precision", "balanced_accuracy", "brier", "by_group", "column_weighted",
    "concordance", "f1", "f_beta", "gini", "log_loss", "macro_f1", "mae", "mape", "mcc", "mean_column_log_loss",
    "mean_roc_auc", "metric_named", "micro_f1", "ndcg", "ndcg_at", "pearson", "pinball", "precision_at",
    "quadratic_kappa", "r2", "recall_at", "rmse", "rmsle", "roc_auc", "row_weighted", "smape", "spearman",
    "undefined_columns",
]  # fmt: skip

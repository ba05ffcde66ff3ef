"""Layers, each usable alone."""

from kit.layers.pooling import AttentionPool, ClsPool, ConcatPool, GeMPool, LastPool, MaxPool, MeanPool, pooling

__all__ = ["AttentionPool", "ClsPool", "ConcatPool", "GeMPool", "LastPool", "MaxPool", "MeanPool", "pooling"]

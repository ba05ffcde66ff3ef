"""Layers, each usable alone."""

from kit.layers.pooling import AttentionPool, ClsPool, MeanPool, pooling

__all__ = ["AttentionPool", "ClsPool", "MeanPool", "pooling"]

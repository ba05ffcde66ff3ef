"""Networks, each usable alone as an nn.Module."""

from kit.models.encoder import TextEncoder

__all__ = ["TextEncoder"]

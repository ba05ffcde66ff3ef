"""The same run shown in other tools, from what lies in the bank."""

from kit.track.shown import tracker

__all__ = ["tracker"]

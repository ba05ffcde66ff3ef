"""The device of a model, and the precision in which it computes."""

import contextlib
from functools import cache

import torch
from torch import nn


def best_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(model: nn.Module) -> torch.device:
    """The device of a model's first parameter."""
    return next(model.parameters()).device


@cache
def multiplies_bf16(kind: str) -> bool:
    """Whether devices of this kind ("cpu", "cuda") multiply bfloat16 in hardware; if not, bf16 is slower than fp32."""
    if kind == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return kind == "cpu" and any(getattr(torch.cpu, probe, bool)() for probe in probes)


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    """Context in which matrix products are computed in `precision`. Weights stay in fp32.

    Args:
        device: device of the model.
        precision: "bf16", "fp16", "fp32", or "auto": bf16 if the hardware multiplies it, else fp32.
    """
    if precision == "fp16":
        return torch.autocast(device.type, torch.float16)
    if precision == "bf16" or (precision == "auto" and multiplies_bf16(device.type)):
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def scaler_for(device: torch.device, precision: str) -> torch.amp.GradScaler:
    """A gradient scaler: it scales fp16 losses up, so small gradients do not vanish (Micikevicius et al. 2018).

    With other precisions it does nothing.
    """
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    scaler.scale(torch.zeros((), device=device))  # the first call creates its state
    return scaler

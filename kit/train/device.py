"""Where tensors live and in which precision they are multiplied."""

import contextlib
from functools import cache

import torch
from torch import nn


def best_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(model: nn.Module) -> torch.device:
    """Where a model's first parameter lies."""
    return next(model.parameters()).device


@cache
def multiplies_bf16(kind: str) -> bool:
    """Whether devices of this kind have instructions for bfloat16 products (elsewhere bf16 is slower than fp32)."""
    if kind == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return kind == "cpu" and any(getattr(torch.cpu, probe, bool)() for probe in probes)


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    """Context in which matrix products run in bf16 or fp16 if `precision` says so, weights staying fp32.

    Args:
        device: where the model runs.
        precision: "bf16", "fp16", "fp32", or "auto" for bf16 where the hardware multiplies it.
    """
    if precision == "fp16":
        return torch.autocast(device.type, torch.float16)
    if precision == "bf16" or (precision == "auto" and multiplies_bf16(device.type)):
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def scaler_for(device: torch.device, precision: str) -> torch.amp.GradScaler:
    """Scales fp16 losses up so that small gradients do not vanish (Micikevicius et al. 2018); idle otherwise."""
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    scaler.scale(torch.zeros((), device=device))  # it makes its state only now
    return scaler

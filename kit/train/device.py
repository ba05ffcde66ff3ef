"""The device of a model, and the precision in which it computes."""

import contextlib
import time
from functools import cache

import torch
from torch import nn

FASTER = 1.2  # bf16 is used where products are this much faster: conversions cost something, too
ROUNDS = 6  # measured products of each kind


def best_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(model: nn.Module) -> torch.device:
    """The device of a model's first parameter."""
    return next(model.parameters()).device


@cache
def multiplies_bf16(kind: str) -> bool:
    """Whether devices of this kind ("cpu", "cuda") multiply bfloat16 faster than fp32."""
    if kind == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    if kind != "cpu" or not getattr(torch.cpu, "_is_avx512_bf16_supported", bool)():
        return False
    # Processors with the instruction differ: with AMX it is several times as fast as fp32, on AMD's twice, on Intel's
    # without AMX half. So it is measured, which takes a tenth of a second.
    return product_seconds(torch.float32) > FASTER * product_seconds(torch.bfloat16)


@torch.inference_mode()
def product_seconds(dtype: torch.dtype) -> float:
    """Time of a matrix product on the CPU, of the size of a small encoder's: the least of several."""
    rows, weight = torch.ones(1024, 384, dtype=dtype), torch.ones(384, 1536, dtype=dtype)
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        rows @ weight
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    """Context in which matrix products are computed in `precision`. Weights stay in fp32.

    Args:
        device: device of the model.
        precision: "bf16", "fp16", "fp32", or "auto": bf16 if the hardware multiplies it faster, else
            fp32.
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

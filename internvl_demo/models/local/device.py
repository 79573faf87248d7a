"""Choose where a checkpoint runs, in which numbers and with which attention: bfloat16 where the processor has it.

auto    CUDA, else Apple's MPS, else the CPU
CUDA    bfloat16; float16 on a GPU that is too old for it
MPS     bfloat16; float16 before macOS 14
CPU     bfloat16 for a large model that is stored so, where the processor computes with it (AVX-512 BF16, AMX,
        ARM's BF16); else float32, which a small model such as the miniature is read fastest in

Attention is PyTorch's own ("sdpa"), or on CUDA flash-attn 2 where it is installed (the extra `flash`) and runs.
"""

import importlib

import torch
from transformers.utils import is_flash_attn_2_available

from internvl_demo.errors import SetupError

_SMALL_PARAMETERS = 200_000_000

ATTENTIONS = {"flash_attention_2": "flash-attn 2", "sdpa": "sdpa"}
"""What transformers calls an attention -> what people do."""

_FLASH_FROM = (8, 0)
"""The oldest compute capability of a GPU that flash-attn 2 runs on: Ampere's."""


def device_of(name: str) -> torch.device:
    """Return the device of that name; `auto` is a GPU if there is one. Raises SetupError."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise SetupError(
            f"This machine cannot compute on {name!r}.",
            "Set --device (INTERNVL_DEVICE) to cpu, cuda, mps or auto.",
        ) from error
    return device


def dtype_for(device: torch.device, stored: str, parameters: int) -> torch.dtype:
    """Return the numbers to compute in, for so many weights that are stored as `stored`, such as "bfloat16"."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "mps":
        return torch.bfloat16 if _mps_has_bf16() else torch.float16
    large = parameters > _SMALL_PARAMETERS
    return torch.bfloat16 if large and stored == "bfloat16" and cpu_has_bf16() else torch.float32


def cpu_has_bf16() -> bool:
    """Return whether the processor multiplies bfloat16 itself; emulated, it is slower than float32."""
    return any(has is True and "bf16" in name for name, has in torch.cpu.get_capabilities().items())


def attention_on(device: torch.device) -> str:
    """Return the attention to compute with, as transformers calls it."""
    return "flash_attention_2" if device.type == "cuda" and flash_runs(device) else "sdpa"


def flash_runs(device: torch.device) -> bool:
    """Return whether flash-attn 2 is installed, built for this PyTorch, and runs on this GPU."""
    if torch.cuda.get_device_capability(device) < _FLASH_FROM or not is_flash_attn_2_available():
        return False
    try:
        importlib.import_module("flash_attn")
    except (ImportError, OSError):  # built for another PyTorch
        return False
    return True


def _mps_has_bf16() -> bool:
    try:
        torch.ones(1, dtype=torch.bfloat16, device="mps")
    except TypeError:
        return False
    return True

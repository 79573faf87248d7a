"""Choose where a checkpoint runs, and in which numbers: bfloat16 where the processor has it.

auto    CUDA, else Apple's MPS, else the CPU
CUDA    bfloat16; float16 on a GPU that is too old for it
MPS     bfloat16; float16 before macOS 14
CPU     bfloat16 for a large model that is stored so, where the processor computes with it (AVX-512 BF16, AMX,
        ARM's BF16); else float32, which a small model such as the miniature is read fastest in
"""

import torch

from internvl_demo.errors import SetupError

_SMALL_PARAMETERS = 200_000_000


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


def _mps_has_bf16() -> bool:
    try:
        torch.ones(1, dtype=torch.bfloat16, device="mps")
    except TypeError:
        return False
    return True

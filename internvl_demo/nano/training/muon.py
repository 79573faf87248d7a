"""Optimise the matrices inside the layers with Muon: momentum made orthogonal, so that every direction learns alike.

As `torch.optim.Muon` (Keller Jordan, 2024; rates matched to AdamW's as in arXiv 2502.16982), but matrices of one
shape go through the iteration together, in the type that the machine multiplies fastest: torch's go through one by
one, always in bfloat16, which a processor without instructions for it computes five times slower.
"""

from collections.abc import Iterable
from typing import Any

import torch

_A, _B, _C = 3.4445, -4.775, 2.0315
"""The quintic of the Newton-Schulz iteration."""


class Muon(torch.optim.Optimizer):
    """For matrices only; `lr` is AdamW's. `dtype`: of the iteration."""

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        *,
        weight_decay: float,
        momentum: float = 0.95,
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__(groups, {"lr": 0.0, "weight_decay": weight_decay, "momentum": momentum})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Make one step for every matrix that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            shapes: dict[torch.Size, list[torch.Tensor]] = {}
            for matrix in group["params"]:
                if matrix.grad is not None:
                    shapes.setdefault(matrix.shape, []).append(matrix)
            for shape, matrices in shapes.items():
                turns = torch.stack([self._momentum(one, group["momentum"]) for one in matrices])
                steps = orthogonal(turns.to(self.dtype)).to(turns.dtype)
                rate = group["lr"] * 0.2 * max(shape) ** 0.5
                for matrix, step in zip(matrices, steps, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"]).add_(step, alpha=-rate)

    def _momentum(self, matrix: torch.Tensor, momentum: float) -> torch.Tensor:
        """Return the gradient with Nesterov's momentum."""
        assert matrix.grad is not None
        state = self.state[matrix]
        kept = state.setdefault("momentum", torch.zeros_like(matrix))
        kept.lerp_(matrix.grad, 1 - momentum)
        return matrix.grad.lerp(kept, momentum)


def orthogonal(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Return matrices (n, rows, columns) with all singular values near 1 (0.7 .. 1.2)."""
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.transpose(1, 2)
    wide = wide / wide.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        square = wide @ wide.transpose(1, 2)
        wide = _A * wide + (_B * square + _C * square @ square) @ wide
    turned: torch.Tensor = wide if matrices.shape[1] <= matrices.shape[2] else wide.transpose(1, 2)
    return turned

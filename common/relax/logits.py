"""What differentiable search learns: one vector of logits per relaxable decision."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from common.errors import UserError
from common.streams import torch_stream


class Logits:
    """A leaf tensor per decision, float32, on the CPU until `to`.

    Each is drawn from a stream of its own, so it does not depend on which other decisions there are.

    Args:
        sizes: Decision path -> length: the number of options of a `OneOf`, of members of a `ManyOf`.
        seed: Seed of the draws.
        start: Mean of the initial values: 0, and 0.5 for the proximal values of `common.relax.gates.OneHot`.
        std: Their standard deviation, at least 0. DARTS and ProxylessNAS draw 1e-3 N(0, 1).

    Attributes:
        values: Decision path -> tensor of shape (length,), in the order of `sizes`.

    Raises:
        UserError: a length below 1, no decision at all, or a `start` or `std` that cannot be.
    """

    __slots__ = ("values",)

    def __init__(self, sizes: Mapping[str, int], seed: int, start: float = 0.0, std: float = 1e-3) -> None:
        if not sizes:
            raise UserError("there is no decision to learn logits for: the space has none that can be relaxed")
        if not (math.isfinite(start) and 0 <= std < math.inf):
            raise UserError(f"logits start={start}, std={std}: they start at a finite number, with a deviation of 0 or more")
        for path, length in sizes.items():
            if length < 1:
                raise UserError(f"decision {path!r} has {length} options: logits are for one or more")
        self.values: dict[str, Tensor] = {
            path: (torch.randn(length, generator=torch_stream(seed, "logits", path)) * std + start).requires_grad_()
            for path, length in sizes.items()
        }

    def tensors(self) -> dict[str, Tensor]:
        """Copies of the values for a checkpoint, named by their decisions."""
        return {path: value.detach().clone() for path, value in self.values.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Sets the values, in place, to those that `tensors` gave; nothing is set where it raises.

        Raises:
            UserError: a decision is unknown or missing, or a vector has another length.
        """
        if unknown := [path for path in tensors if path not in self.values]:
            raise UserError(f"logits of decision {unknown[0]!r}: this space has no such decision; load those of the same space")
        for path, value in self.values.items():
            if path not in tensors:
                raise UserError(f"logits of decision {path!r} are missing: load those of the same space")
            if tensors[path].shape != value.shape:
                raise UserError(
                    f"logits of decision {path!r} have shape {tuple(tensors[path].shape)}, but it takes {tuple(value.shape)}: "
                    "load those of the same space"
                )
        with torch.no_grad():
            for path, value in self.values.items():
                value.copy_(tensors[path])

    def to(self, device: str | torch.device) -> Logits:
        """Moves the values to `device`, as `nn.Module.to` does parameters: the tensors stay the same objects, gradients go."""
        for value in self.values.values():
            value.grad = None
            value.data = value.data.to(device)
        return self

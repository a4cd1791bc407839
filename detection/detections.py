"""What a detector found, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Detections:
    """What a detector found in one image, best first."""

    boxes: Float[Tensor, "n 4"]
    """x1, y1, x2, y2 in pixels of the image the detector was given."""
    scores: Float[Tensor, "n"]
    """0..1, descending."""
    labels: Int[Tensor, "n"]
    """Class indices from 0."""

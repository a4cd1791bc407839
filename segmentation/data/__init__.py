"""Segmentation data: the embedded scenes or a folder of pictures and annotations, as splits of samples, and batches of them.

Readers import no torch; batches, which need torch, are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.deferred import on_demand
from segmentation.data.embedded import embedded
from segmentation.data.folders import folder
from segmentation.data.labels import IGNORE
from segmentation.data.samples import Sample, SegmentationData, Split, halves

if TYPE_CHECKING:
    from segmentation.data.batches import Augmentation, Batch, batch_at, check_crop, ordered

__all__ = [
    "IGNORE",
    "Augmentation",
    "Batch",
    "Sample",
    "SegmentationData",
    "Split",
    "batch_at",
    "check_crop",
    "embedded",
    "folder",
    "halves",
    "ordered",
]
__getattr__ = on_demand(__name__, dict.fromkeys(("Augmentation", "Batch", "batch_at", "check_crop", "ordered"), "batches"))

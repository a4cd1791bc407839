"""Detection data: the embedded scenes or a folder in COCO layout, as splits of samples, and batches of them.

Readers import no torch; batches, which need torch, are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.deferred import on_demand
from detection.data.coco import coco_folder
from detection.data.embedded import embedded
from detection.data.export import write_coco
from detection.data.samples import Data, Sample, Split, to_original

if TYPE_CHECKING:
    from detection.data.batches import Batch, Crops, batch_at, crops, ordered

__all__ = [
    "Batch",
    "Crops",
    "Data",
    "Sample",
    "Split",
    "batch_at",
    "coco_folder",
    "crops",
    "embedded",
    "ordered",
    "to_original",
    "write_coco",
]
__getattr__ = on_demand(__name__, dict.fromkeys(("Batch", "Crops", "batch_at", "crops", "ordered"), "batches"))

"""Detection data: the embedded scenes or a folder in COCO layout, as splits of samples, and batches of them."""

from detection.data.batches import Batch, Crops, batch_at, crops, ordered
from detection.data.coco import coco_folder
from detection.data.embedded import embedded
from detection.data.export import write_coco
from detection.data.samples import Data, Sample, Split, to_original

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

"""Segmentation data: the embedded scenes or a folder of pictures and annotations, as splits of samples, and batches of them."""

from segmentation.data.batches import Augmentation, Batch, batch_at, check_crop, ordered
from segmentation.data.embedded import embedded
from segmentation.data.folders import folder
from segmentation.data.labels import IGNORE
from segmentation.data.samples import Sample, SegmentationData, Split, halves

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

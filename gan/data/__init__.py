"""Data for image-to-image translation: the embedded pictures or a folder, paired or not, and batches of them."""

from gan.data.batches import Augmentation, Batch, batch_at, ordered, to_float, to_uint8
from gan.data.embedded import embedded
from gan.data.folders import folder
from gan.data.images import Images
from gan.data.translation import Split, TranslationData

__all__ = [
    "Augmentation",
    "Batch",
    "Images",
    "Split",
    "TranslationData",
    "batch_at",
    "embedded",
    "folder",
    "ordered",
    "to_float",
    "to_uint8",
]

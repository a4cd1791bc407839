"""Classification data: the embedded digits or a folder in one of the layouts in use, as splits, and batches of them."""

from classification.data.batches import Augment, batch_at, ordered
from classification.data.embedded import embedded
from classification.data.folders import classification_folder
from classification.data.splits import ClassificationData, Scale, Split, halves

__all__ = [
    "Augment",
    "ClassificationData",
    "Scale",
    "Split",
    "batch_at",
    "classification_folder",
    "embedded",
    "halves",
    "ordered",
]

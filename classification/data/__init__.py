"""Classification data: the embedded digits or a folder in one of the layouts in use, as splits, and batches of them.

Readers import no torch; batches, which need torch, are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from classification.data.embedded import embedded
from classification.data.folders import classification_folder
from classification.data.splits import ClassificationData, Scale, Split, halves
from common.deferred import on_demand

if TYPE_CHECKING:
    from classification.data.batches import Augment, batch_at, ordered

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
__getattr__ = on_demand(__name__, dict.fromkeys(("Augment", "batch_at", "ordered"), "batches"))

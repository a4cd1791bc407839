"""Data for image-to-image translation: the embedded pictures or a folder, paired or not, and batches of them.

Readers import no torch; batches, which need torch, are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.deferred import on_demand
from gan.data.embedded import embedded
from gan.data.folders import folder
from gan.data.images import Images
from gan.data.translation import Split, TranslationData

if TYPE_CHECKING:
    from gan.data.batches import Augmentation, Batch, batch_at, ordered, to_float, to_uint8

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
_IN_BATCHES = ("Augmentation", "Batch", "batch_at", "ordered", "to_float", "to_uint8")
__getattr__ = on_demand(__name__, dict.fromkeys(_IN_BATCHES, "batches"))

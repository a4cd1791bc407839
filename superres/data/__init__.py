"""Data for super-resolution: the embedded photographs or a folder of high-resolution pictures, and batches of patches.

Readers import no torch; batches, which need torch, are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.deferred import on_demand
from superres.data.embedded import embedded
from superres.data.folders import folder
from superres.data.splits import Split, SuperResData, parts

if TYPE_CHECKING:
    from superres.data.batches import Batch, batch_at

__all__ = ["Batch", "Split", "SuperResData", "batch_at", "embedded", "folder", "parts"]
__getattr__ = on_demand(__name__, dict.fromkeys(("Batch", "batch_at"), "batches"))

"""The systems of this task. Every one listed is a command, a make target, a row of the README, and is held to the laws."""

from detection.detnas.system import SYSTEM as DETNAS
from detection.efficientdet.system import SYSTEM as EFFICIENTDET
from detection.nas_fpn.system import SYSTEM as NAS_FPN

SYSTEMS = (DETNAS, NAS_FPN, EFFICIENTDET)
"""Declarations, in the order of the README."""

"""The systems of this task. Every one listed is a command, a make target, a row of the README, and is held to the laws."""

from segmentation.dcnas.system import SYSTEM as DCNAS

SYSTEMS = (DCNAS,)
"""Declarations, in the order of the README."""

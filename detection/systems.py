"""The systems of this task. Every one listed is a command, a make target, a row of the README, and is held to the laws."""

from detection.detnas.system import SYSTEM as DETNAS

SYSTEMS = (DETNAS,)
"""Declarations, in the order of the README."""

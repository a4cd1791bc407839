"""The systems of this task. Every one listed is a command, a make target, a row of the README, and is held to the laws."""

from classification.darts.system import SYSTEM as DARTS

SYSTEMS = (DARTS,)
"""Declarations, in the order of the README."""

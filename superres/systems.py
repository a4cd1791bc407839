"""The systems of this task. Every one listed is a command, a make target, a row of the README, and is held to the laws."""

from superres.hnas.system import SYSTEM as HNAS

SYSTEMS = (HNAS,)
"""Declarations, in the order of the README."""

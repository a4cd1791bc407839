"""The systems of this task. Every one listed is a command, a make target, a row of the README, and is held to the laws."""

from graphs.pdnas.system import SYSTEM as PDNAS

SYSTEMS = (PDNAS,)
"""Declarations, in the order of the README."""

"""The systems of this task. Every one listed is a command, a make target, a row of the README, and is held to the laws."""

from binary.cells.system import SYSTEM as CELLS
from binary.groups.system import SYSTEM as GROUPS
from binary.width.system import SYSTEM as WIDTH

SYSTEMS = (WIDTH, GROUPS, CELLS)
"""Declarations, in the order of the README."""

"""The systems of this task. Every one listed is a command, a make target, a row of the README, and is held to the laws."""

from gan.compression.system import SYSTEM as GAN_COMPRESSION

SYSTEMS = (GAN_COMPRESSION,)
"""Declarations, in the order of the README."""

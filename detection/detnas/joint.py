"""The recipes of the joint search of backbone and feature pyramid: DetNAS's, with NAS-FPN's grammar on the backbone.

Neither paper has it. The supernet shares the weights of the pyramid as well: a cell has the same convolution in every wiring.
"""

from __future__ import annotations

from dataclasses import replace

from detection.detnas import recipes
from detection.detnas.settings import Settings
from detection.heads import RetinaNet
from detection.necks.settings import PyramidSettings


def smoke() -> Settings:
    """DetNAS's smoke run with a pyramid of three levels."""
    settings = recipes.smoke()
    head = replace(settings.head, strides=(8, 16, 32), anchor_sizes=(20, 28, 36))
    return replace(settings, head=head, pyramid=PyramidSettings(levels=(3, 4, 5), between=1, width=24, stacks=1))


def small() -> Settings:
    """DetNAS's small run with two stacks of a pyramid of five levels. How long it takes was not measured yet."""
    settings = recipes.small()
    head = replace(settings.head, strides=(8, 16, 32, 64, 128), anchor_sizes=(16, 32, 64, 128, 192))
    return replace(settings, head=head, pyramid=PyramidSettings(width=32, stacks=2))


def paper() -> Settings:
    """DetNAS's 300M space and training, a RetinaNet, and three stacks of NAS-FPN's pyramid: neither paper's own."""
    settings = recipes.with_head(recipes.paper(), "retinanet")
    assert isinstance(settings.head, RetinaNet)
    return replace(settings, head=replace(settings.head, head_norm="separate"), pyramid=PyramidSettings(stacks=3))


RECIPES = {"smoke": smoke, "small": small, "paper": paper}
"""Name -> settings."""

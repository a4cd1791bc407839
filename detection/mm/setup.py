"""mmdetection, imported when it is first needed, and registration of our backbones with it."""

from __future__ import annotations

import functools

from torch import nn

from common import mm


@functools.cache
def prepare() -> None:
    """Make mmdet importable and import it with all its models and transforms (seconds; once in a process).

    Raises:
        UserError: mmdet is not installed.
    """
    mm.import_packages(("mmdet.models", "mmdet.datasets.transforms"), "detection")


def register(name: str, backbone: type[nn.Module]) -> None:
    """Make `backbone` available to plain mmdet configurations as `backbone=dict(type=name, ...)`.

    Raises:
        ValueError: another class already has this name.
    """
    prepare()
    from mmdet.registry import MODELS

    mm.register(MODELS, name, backbone)

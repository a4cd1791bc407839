"""mmsegmentation, imported when it is first needed, and registration of our backbones with it."""

from __future__ import annotations

import functools

from torch import nn

from common import mm


@functools.cache
def prepare() -> None:
    """Makes mmseg importable and imports it with all its models and metrics (seconds; once in a process).

    Raises:
        UserError: mmseg is not installed.
    """
    mm.import_packages(("mmseg.models", "mmseg.evaluation"), "segmentation")


def register(name: str, backbone: type[nn.Module]) -> None:
    """Makes `backbone` available to plain mmseg configurations as `backbone=dict(type=name, ...)`.

    Raises:
        ValueError: another class already has this name.
    """
    prepare()
    from mmseg.registry import MODELS

    mm.register(MODELS, name, backbone)

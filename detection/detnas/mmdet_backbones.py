"""Importing this registers DetNAS's backbones with mmdet: `custom_imports=dict(imports=["detection.detnas.mmdet_backbones"])`."""

from detection.detnas.backbones import register_backbones

register_backbones()

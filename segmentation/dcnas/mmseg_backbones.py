"""Importing this registers DCNAS's networks with mmseg: `custom_imports=dict(imports=["segmentation.dcnas.mmseg_backbones"])`."""

from segmentation.dcnas.backbones import register_backbones

register_backbones()

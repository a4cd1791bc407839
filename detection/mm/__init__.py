"""The only place that knows mmdetection (mmdet, mmcv, mmengine).

Importing mmdet takes seconds, so nothing here does it at module level: `prepare` does, and every function that needs
it calls `prepare` first.
"""

from detection.mm.detector import Detector, build, decoded, losses, predict
from detection.mm.images import random_flip, read_resize_pad, resize_pad
from detection.mm.metrics import METRICS, coco_metrics
from detection.mm.setup import prepare, register

__all__ = [
    "METRICS",
    "Detector",
    "build",
    "coco_metrics",
    "decoded",
    "losses",
    "predict",
    "prepare",
    "random_flip",
    "read_resize_pad",
    "register",
    "resize_pad",
]

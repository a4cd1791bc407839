"""The only place that knows mmsegmentation (mmseg, mmcv, mmengine).

Importing mmseg takes seconds, so nothing here does it at module level: `prepare` does, and every function that needs it calls
`prepare` first.
"""

from segmentation.mm.metrics import Areas, areas, iou_metrics
from segmentation.mm.segmentor import Segmentor, build, losses, predict
from segmentation.mm.setup import prepare, register

__all__ = ["Areas", "Segmentor", "areas", "build", "iou_metrics", "losses", "predict", "prepare", "register"]

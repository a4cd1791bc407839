"""An earlier name of `segmentation.mmseg_types`, for configurations that import it."""

from segmentation.mmseg_types import register

register()

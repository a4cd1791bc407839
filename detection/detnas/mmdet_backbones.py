"""An earlier name of `detection.mmdet_types`, for configurations that import it."""

from detection.mmdet_types import register

register()

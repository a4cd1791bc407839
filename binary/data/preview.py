"""Training items as a classifier sees them: those of image classification."""

from classification.data.preview import preview

__all__ = ["preview"]

"""Semantic segmentation: pictures with a class for every pixel, metrics, and the systems that search segmentation networks."""

import tasknas  # noqa: F401 (refuses a file of the user's that hides the core)

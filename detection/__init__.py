"""Object detection: images with boxes, heads, metrics, and the systems that search detectors."""

import tasknas  # noqa: F401 (refuses a file of the user's that hides the core)

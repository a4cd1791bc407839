"""Image classification: labelled images, metrics, and the systems that search classifiers."""

import tasknas  # noqa: F401 (refuses a file of the user's that hides the core)

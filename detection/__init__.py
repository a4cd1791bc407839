"""Object detection: images with boxes, heads, metrics, and the systems that search detectors."""

from tasknas import hidden

hidden.refuse("common")

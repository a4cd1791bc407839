"""Image classification: labelled images, metrics, and the systems that search classifiers."""

from tasknas import hidden

hidden.refuse("common")

"""Image classification: labelled images, metrics, and the systems that search classifiers."""

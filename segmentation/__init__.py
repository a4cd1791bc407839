"""Semantic segmentation: pictures with a class for every pixel, metrics, and the systems that search segmentation networks."""

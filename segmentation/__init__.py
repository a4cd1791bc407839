"""Semantic segmentation: DCNAS, a search over how cells at several scales are connected."""

"""Shapes in annotations are checked in every test; this has to happen before anything is imported."""

from tests.shapecheck import install

install("common", "detection", "segmentation", "graphs", "gan", "superres", "binary")

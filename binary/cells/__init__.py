"""Cells of binary networks that are searched by gradients or by abandoning operations: four methods, one pipeline."""

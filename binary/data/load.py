"""The data of a run, as its settings name them: those of image classification. No torch here."""

from classification.data.load import load_data

__all__ = ["load_data"]

"""Data for node classification: embedded digits, Planetoid's citation networks, PyTorch Geometric's classes, generated graphs."""

from graphs.data.digits import digits_graph
from graphs.data.generated import stochastic_blocks
from graphs.data.karate import karate
from graphs.data.library import library
from graphs.data.load import load
from graphs.data.nodes import NodeData
from graphs.data.planetoid import planetoid

__all__ = ["NodeData", "digits_graph", "karate", "library", "load", "planetoid", "stochastic_blocks"]

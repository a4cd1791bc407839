"""Data for node classification: embedded digits, `.npz` files, Planetoid's networks, PyTorch Geometric's classes, made graphs.

Readers import no torch, and names that need torch are imported when they are first used. `graphs.data.library` reads classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.deferred import on_demand
from graphs.data.digits import digits
from graphs.data.load import load
from graphs.data.own import own_graph
from graphs.data.planetoid import planetoid

if TYPE_CHECKING:
    from graphs.data.generated import stochastic_blocks
    from graphs.data.nodes import NodeData

__all__ = ["NodeData", "digits", "load", "own_graph", "planetoid", "stochastic_blocks"]
__getattr__ = on_demand(__name__, {"NodeData": "nodes", "stochastic_blocks": "generated"})

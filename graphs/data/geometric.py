"""Imports PyTorch Geometric for the first time, without the warning its modules raise when they are loaded."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # torch_geometric.nn.pool compiles two classes with it on import; nothing here uses them
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
    import torch_geometric  # noqa: F401

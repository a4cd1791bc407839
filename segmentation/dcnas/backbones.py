"""DCNAS's networks by name, for mmsegmentation configurations: `backbone=dict(type="DCNAS", arch="unet", space="small")`.

A configuration finds them through `custom_imports=dict(imports=["segmentation.mmseg_types"])`. Both are torch modules that have
their initial weights once they are built; `init_cfg` gives a `DCNAS` the weights of a run instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.errors import UserError
from common.mm_weights import Part
from common.relax.relaxation import Relaxation
from common.relax.weightings import Softmax
from common.supernet import Supernet, opened
from segmentation.dcnas.derive import network_of
from segmentation.dcnas.model import build
from segmentation.dcnas.names import read_arch
from segmentation.dcnas.sizes import SIZES


class DCNAS(Part):
    """The network of one architecture, without orphans.

    Attributes:
        net: the network.
        channels: of its maps: the head's `in_channels`.
    """

    role = "backbone"

    def __init__(
        self,
        arch: str,
        space: str | None = None,
        width: int | None = None,
        seed: int = 0,
        init_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        """Makes the network.

        Args:
            arch: `unet`, or an architecture file of a run.
            space: name of the size, as for `describe`.
            width: channels at the finest stride; those of the size by default.
            seed: of the initial weights.
            init_cfg: weights of a run; see `common.mm_weights.Part`.

        Raises:
            UserError: no such architecture or size.
        """
        super().__init__(init_cfg)
        _, opened_net, settled = read_arch(arch, space)
        network = network_of(opened_net, settled)
        self.net = build(network if width is None else replace(network, width=width), seed)
        self.channels = self.net.channels

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        """A map for each stride, finest first."""
        return self.net(x)


class DCNASSupernet(nn.Module):
    """The dense network of a size, its connections and operators weighted; the weights' logits are parameters among others.

    A training forward samples paths, as a function of (seed, step) alone; in eval mode all are mixed. One optimiser trains
    network and architecture on the same pictures, which is simpler than the paper's two halves of the data: those are for the
    pipeline of this package.

    Attributes:
        net: the network.
        channels: of its maps: the head's `in_channels`.
        logits: one vector for each decision, in the space's order.
        step: training forwards so far.
    """

    step: Tensor

    def __init__(self, space: str, width: int | None = None, keep: float = 0.5, seed: int = 0) -> None:
        """Makes the supernet.

        Args:
            space: name of the size.
            width: channels at the finest stride; those of the size by default.
            keep: share of a cell's possible inputs that a training step computes, in (0, 1].
            seed: of the initial weights and the sampling.

        Raises:
            UserError: no such size, or a share out of range.
        """
        super().__init__()
        if space not in SIZES:
            raise UserError(f"space {space!r} does not exist; choose one of {', '.join(SIZES)}")
        net = SIZES[space].space()
        self.space = net if width is None else replace(net, width=width)
        self.net = build(opened(self.space), seed)
        self.channels = self.net.channels
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        supernet = Supernet(self.net, self.space)
        self._relaxation = Relaxation(supernet=supernet, options=Softmax(), members=Softmax(keep=keep), seed=seed)
        values = self._relaxation.logits.values
        self.logits = nn.ParameterList(nn.Parameter(value.detach()) for value in values.values())
        values.update(zip(values, self.logits, strict=True))

    def strengths(self) -> dict[str, Tensor]:
        """softmax(alpha) and softmax(beta), by decision: what `derived` takes."""
        return self._relaxation.strengths()

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        """A map for each stride, finest first."""
        if self.training:
            self._relaxation.mix(int(self.step), 0.0)
            self.step += 1
        else:
            values = self._relaxation.logits.values
            whole = Softmax()
            self._relaxation.supernet.relax({path: whole.weigh(v, torch.Generator(), 0.0) for path, v in values.items()})
        return self.net(x)

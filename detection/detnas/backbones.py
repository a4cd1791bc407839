"""DetNAS's backbones by name, for mmdet configurations: `backbone=dict(type="DetNASNet", arch="COCO_FPN_300M")`.

A configuration finds them through `custom_imports=dict(imports=["detection.mmdet_types"])`. Both are torch modules that have
their initial weights once they are built; `init_cfg` gives a `DetNASNet` the weights of a run instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.errors import UserError
from common.mm_weights import Part
from common.space import Arch, decode
from common.supernet import Supernet, opened, uniform
from detection.backbones.descriptions import ShuffleNet
from detection.detnas.model import build
from detection.detnas.names import read_arch
from detection.detnas.space import SIZES, backbone, uniform_arch


class DetNASNet(Part):
    """The backbone of one architecture.

    Attributes:
        net: the backbone.
        out_indices: numbers of the stages whose maps are returned.
        channels: of those maps: the neck's `in_channels`.
    """

    role = "backbone"

    def __init__(
        self,
        arch: str,
        space: str | None = None,
        out_indices: Sequence[int] | None = None,
        seed: int = 0,
        init_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        """Makes the backbone.

        Args:
            arch: a published name (`COCO_FPN_300M`), an architecture file of a run, or a gene string (`"2 1 2 0 ..."`).
            space: size of the space that a gene string belongs to; by its length where none is given. A file of a run needs none.
            out_indices: stages to return, ascending; stage i has stride 4 * 2**i. All if none are given; those after the
                last one are left out.
            seed: of the initial weights.
            init_cfg: weights of a run; see `common.mm_weights.Part`.

        Raises:
            UserError: no such architecture or stage.
        """
        super().__init__(init_cfg)
        _, classifier, settled = read_arch(arch, space)
        self.out_indices, net = _cut(decode(classifier, settled).backbone, out_indices)
        self.net = build(net, seed)
        self.channels = tuple(net.stages[i].width for i in self.out_indices)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        """Maps of the stages in `out_indices`."""
        maps = self.net(x)
        return tuple(maps[i] for i in self.out_indices)


class DetNASSupernet(nn.Module):
    """Every architecture of a space in shared weights; a training step runs one of them (paper section 3.2).

    The path of a training forward is uniform and a function of (seed, step) alone. The step is counted in a buffer: training
    that is resumed takes the paths it would have taken, and all processes take the same. In eval mode the active path runs.

    Attributes:
        net: the shared backbone.
        space: its open description, without the stages left out.
        seed: of the paths.
        out_indices: numbers of the stages whose maps are returned.
        channels: of those maps: the neck's `in_channels`.
        step: training forwards so far.
        active: the path that is active.
    """

    step: Tensor

    def __init__(self, space: str, seed: int = 0, out_indices: Sequence[int] | None = None) -> None:
        """Makes the supernet, with the path of 3x3 blocks active.

        Args:
            space: size of the space: tiny, 300M, 1.3G or 3.8G.
            seed: of the paths and the initial weights.
            out_indices: as in `DetNASNet`.

        Raises:
            UserError: no such space or stage, or a space with open widths: paths are then slices of weights, whose idle parts
                mmengine's optimisers would decay.
        """
        super().__init__()
        self.seed = seed
        self.out_indices, self.space = _cut(backbone(space), out_indices)
        if SIZES[space].scaled:
            raise UserError(f"space {space!r} has open widths, which mmengine cannot train; choose tiny, 300M, 1.3G or 3.8G")
        self.net = build(opened(self.space), seed)
        self.channels = tuple(self.space.stages[i].width for i in self.out_indices)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self._supernet = Supernet(self.net, self.space)
        self.activate(uniform_arch(self.space, 0))

    def activate(self, arch: Arch) -> None:
        """Makes `arch`, an architecture of `space`, the path that runs in eval mode."""
        self.active = arch
        self._supernet.activate(arch)

    def path_at(self, step: int) -> Arch:
        """The path of the training forward `step`, counted from 0."""
        return uniform(self.space, self.seed)(step)[0]

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        """Maps of the stages in `out_indices`; in training mode on the step's path, which stays active."""
        if self.training:
            self.activate(self.path_at(int(self.step)))
            self.step += 1
        maps = self.net(x)
        return tuple(maps[i] for i in self.out_indices)


def _cut(net: ShuffleNet, out_indices: Sequence[int] | None) -> tuple[tuple[int, ...], ShuffleNet]:
    """The stages to return, and the backbone up to the last of them."""
    chosen = tuple(range(len(net.stages)) if out_indices is None else out_indices)
    if not chosen or list(chosen) != sorted(set(chosen)) or not set(chosen) <= set(range(len(net.stages))):
        raise UserError(f"out_indices {chosen}: the backbone has {len(net.stages)} stages; give numbers from 0, ascending")
    return chosen, replace(net, stages=net.stages[: chosen[-1] + 1])

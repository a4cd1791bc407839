"""The necks of this package in configurations of mmdetection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from common.errors import UserError
from common.mm_weights import Part
from detection.description import Neck
from detection.mm.maps import maps_of
from detection.necks.modules import neck


class NeckPart(Part):
    """A neck, built as in the detectors of this package.

    Attributes:
        channels: of the maps that it gives, one for each level.
        strides: of the maps that it gives.
    """

    role = "neck"

    def __init__(
        self,
        net: Neck,
        in_channels: Sequence[int] | Mapping[str, Any],
        start_level: int | None,
        seed: int,
        init_cfg: Mapping[str, Any] | None,
    ) -> None:
        """Makes the neck.

        Args:
            net: settled description.
            in_channels: channels of the backbone's maps, finest first. Or the backbone's own entry in the configuration, from
                which channels and strides are found.
            start_level: number of the map that the pyramid's first level is made of, from 0. By default the first map, and where
                `in_channels` is the backbone the map of that level's stride.
            seed: of the initial weights.
            init_cfg: see `common.mm_weights.Part`.

        Raises:
            UserError: the maps do not fit the pyramid's levels.
        """
        super().__init__(init_cfg)
        self.strides = tuple(2**level for level in net.levels)
        self.channels = (net.width,) * len(net.levels)
        self._first, self._into = _read(type(self).__name__, net.levels, in_channels, start_level)
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(seed)
            self.net = neck(net, self._into[self._first :], self.strides[: len(self._into) - self._first])

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The backbone's maps -> one map for each level.

        Raises:
            UserError: the maps have other channels than `in_channels` says.
        """
        if (found := tuple(x.shape[1] for x in maps)) != self._into:
            raise UserError(
                f"{type(self).__name__}: in_channels is {list(self._into)}, the backbone's maps have {list(found)} channels; "
                "give these, or the backbone's own entry: in_channels=backbone"
            )
        return self.net(maps[self._first :])


def given(name: str, sizes: Mapping[str, Any], counts: Sequence[str]) -> dict[str, Any]:
    """The sizes that a configuration gives, those that are not None.

    Args:
        name: of the type, for the error.
        sizes: by their names.
        counts: names of those that are whole numbers of 1 or more.

    Raises:
        UserError: one of them is not.
    """
    found = {key: value for key, value in sizes.items() if value is not None}
    for key in counts:
        if key in found and (type(found[key]) is not int or found[key] < 1):
            raise UserError(f"{name}: {key}={found[key]!r}; give a whole number, 1 at least")
    return found


def refuse_beside(name: str, arch: str, sizes: Mapping[str, Any]) -> None:
    """Refuses sizes beside an architecture that says them itself.

    Raises:
        UserError: there are some.
    """
    if sizes:
        raise UserError(f"{name}: arch {arch!r} says {min(sizes)} itself; leave one of the two out")


def _read(
    name: str, levels: Sequence[int], given: Sequence[int] | Mapping[str, Any], start: int | None
) -> tuple[int, tuple[int, ...]]:
    """Number of the first map that is used, and the channels of all maps."""
    strides: tuple[int, ...] | None = None
    if isinstance(given, Mapping):
        channels, strides = maps_of(given)
    elif isinstance(given, Sequence) and not isinstance(given, str) and all(type(c) is int and c > 0 for c in given):
        channels = tuple(given)
    else:
        raise UserError(
            f"{name}: in_channels={given!r}; give a list of channels, e.g. [64, 128, 256], or the backbone's own entry"
        )
    wanted = tuple(2**level for level in levels)
    if start is None:
        start = strides.index(wanted[0]) if strides and wanted[0] in strides else 0
    used = len(channels) - start
    if not 0 <= start < len(channels) or used > len(wanted):
        raise UserError(
            f"{name}: in_channels={list(channels)} has {len(channels)} maps, of which start_level={start} leaves {max(used, 0)}; "
            f"pyramid has levels {levels[0]} to {levels[-1]}; leave it 1 to {len(wanted)} maps, the first of stride {wanted[0]}"
        )
    if strides and strides[start:] != wanted[:used]:
        raise UserError(
            f"{name}: the backbone's maps have strides {strides[start:]}, the pyramid's levels {levels[0]} to {levels[-1]} have "
            f"{wanted}; give out_indices of the backbone whose maps begin at stride {wanted[0]} and double"
        )
    return start, channels

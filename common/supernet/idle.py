"""Steps of an optimiser that leave what was not used of a tensor as it is: the weights, and what the optimiser keeps of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from common.supernet.elastic import Region


class Narrowed:
    """A parameter, its gradient and the optimiser's state of it, cut to a box: the optimiser steps on what is in the box alone.

    What lies in one piece is cut without a copy; fused optimisers take nothing else, so that other boxes are copied, and copied
    back by `widen`. What the boxes `used` leave idle within the smallest box around them is put back as it was.
    """

    def __init__(self, parameter: nn.Parameter, used: Sequence[Region], optimizer: Optimizer) -> None:
        """Cuts.

        Args:
            parameter: with a gradient.
            used: boxes of it, at least one.
            optimizer: what it keeps of `parameter` in the parameter's shape (momenta, not step counts) is cut as well.
        """
        assert parameter.grad is not None
        self.parameter = parameter
        self.optimizer = optimizer
        self.whole, self.grad = parameter.data, parameter.grad
        self.box = around(self.whole.shape, used)
        self.states = self._state()
        self.cut = {key: value[self.box].contiguous() for key, value in self._whole().items()}
        parameter.data = self.cut[""]
        parameter.grad = self.grad[self.box].contiguous()
        if self.states:
            optimizer.state[parameter].update({key: self.cut[key] for key in self.states})
        self.idle = [] if len(used) == 1 else list(outside(self.whole.shape, used, self.box))
        self.kept = [{key: value[part].clone() for key, value in self._whole().items()} for part in self.idle]

    def widen(self) -> None:
        """Puts the whole tensors back, after the step."""
        made = {"": self.parameter.data, **self._state()}
        for key in [key for key in made if key not in self.cut]:  # made by this very step: nothing is kept of what was idle
            self.states[key] = torch.zeros_like(self.whole, dtype=made[key].dtype)
        whole = self._whole()
        for key, value in made.items():
            target = whole[key][self.box]
            if target.data_ptr() != value.data_ptr():
                target.copy_(value)
        self.parameter.data = self.whole
        self.parameter.grad = self.grad
        if self.states:
            self.optimizer.state[self.parameter].update(self.states)
        for part, kept in zip(self.idle, self.kept, strict=True):
            for key, value in whole.items():
                value[part] = kept.get(key, 0.0)

    def _state(self) -> dict[str, Tensor]:
        """What the optimiser keeps of each entry of the parameter, as it is cut now."""
        state: dict[str, Any] = self.optimizer.state.get(self.parameter, {})
        shape = self.parameter.shape
        return {key: v for key, v in state.items() if isinstance(v, Tensor) and v.shape == shape}

    def _whole(self) -> dict[str, Tensor]:
        return {"": self.whole, **self.states}


def covers(shape: Sequence[int], box: Region) -> bool:
    """Whether a box is all of a tensor."""
    return all(not side.start and side.stop >= n for side, n in zip(box, shape, strict=True))


def around(shape: Sequence[int], boxes: Sequence[Region]) -> Region:
    """The smallest box around all of some boxes (at least one) of a tensor."""
    sides = []
    for i, n in enumerate(shape):
        starts, stops = zip(*((box[i].start or 0, min(box[i].stop, n)) for box in boxes), strict=True)
        sides.append(slice(min(starts), max(stops)))
    return tuple(sides)


def outside(shape: Sequence[int], used: Sequence[Region], within: Region | None = None) -> list[Region]:
    """Boxes, without overlap, of what is outside all the boxes `used` of a tensor, or of a box `within` it.

    Boxes are copied many times faster than masked entries.
    """
    left: list[Region] = [within or tuple(slice(0, n) for n in shape)]
    for box in used:
        left = [part for whole in left for part in _minus(whole, box)]
    return left


def _minus(whole: Region, box: Region) -> Iterator[Region]:
    """What is left of one box without another: cut off dimension by dimension, from what the earlier ones leave in both."""
    within: Region = ()
    for i, (outer, inner) in enumerate(zip(whole, box, strict=True)):
        start, stop = max(outer.start, inner.start or 0), min(outer.stop, inner.stop)
        if start >= stop:
            yield (*within, *whole[i:])
            return
        for cut in (slice(outer.start, start), slice(stop, outer.stop)):
            if cut.start < cut.stop:
                yield (*within, cut, *whole[i + 1 :])
        within = (*within, slice(start, stop))

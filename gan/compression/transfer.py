"""A student's first weights: the most important filters of its teacher (paper, section 3.1; order as in the official code).

A filter's importance is the sum of the absolute values of its weights over the inputs that are kept. The most important ones
come first, so that a supernet's narrow layers, which are the leading slices of the wide ones, hold them too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan.compression.model import Block, ResnetGenerator


@torch.no_grad()
def begin_with(teacher: ResnetGenerator, student: ResnetGenerator) -> None:
    """Fills a mobile student with the filters of its mobile teacher, layer by layer; indices kept are the next layer's inputs.

    What leaves a block is added to what enters it, so its filters are those the trunk keeps, whatever their importance.

    Args:
        teacher: as wide as the student, or wider, at every layer.
        student: a network or a supernet; changed in place.
    """
    kept = _fill(_conv(teacher.stem), _conv(student.stem), torch.arange(teacher_inputs(teacher)))
    for source, target in zip(teacher.down, student.down, strict=True):
        kept = _fill(_conv(source), _conv(target), kept)
    trunk = kept
    for source, target in zip(teacher.blocks, student.blocks, strict=True):
        assert isinstance(source, Block) and isinstance(target, Block)
        hidden = _separable(source.first, target.first, trunk, None)
        _separable(source.second, target.second, hidden, trunk)
    for source, target in zip(teacher.up, student.up, strict=True):
        kept = _fill(_conv(source), _conv(target), kept)
    _fill(teacher.picture, student.picture, kept, torch.arange(student.picture.weight.shape[0]))  # pyright: ignore


def teacher_inputs(teacher: ResnetGenerator) -> int:
    """Channels of the pictures a generator takes."""
    return _conv(teacher.stem).weight.shape[1]  # pyright: ignore


def _conv(layer: nn.Module) -> nn.Module:
    return layer[0]  # pyright: ignore


def _separable(source: nn.Module, target: nn.Module, inputs: Tensor, outputs: Tensor | None) -> Tensor:
    wide, narrow = source[0], target[0]  # pyright: ignore
    narrow.weight.copy_(wide.weight[inputs])
    narrow.bias.copy_(wide.bias[inputs])
    return _fill(source[2], target[2], inputs, outputs)  # pyright: ignore


def _fill(source: nn.Module, target: nn.Module, inputs: Tensor, outputs: Tensor | None = None) -> Tensor:
    """Copies filters over; gives which were kept, the most important first unless `outputs` says which."""
    transposed = isinstance(source, nn.ConvTranspose2d)
    weight: Tensor = source.weight  # pyright: ignore
    weight = weight.transpose(0, 1) if transposed else weight
    weight = weight[:, inputs]
    if outputs is None:
        importance = weight.abs().sum((1, 2, 3))
        width = target.weight.shape[1 if transposed else 0]  # pyright: ignore
        outputs = importance.argsort(descending=True, stable=True)[:width]
    chosen = weight[outputs]
    target.weight.copy_(chosen.transpose(0, 1) if transposed else chosen)  # pyright: ignore
    target.bias.copy_(source.bias[outputs])  # pyright: ignore
    return outputs

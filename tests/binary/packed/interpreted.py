"""Runs the kernels of Triton in its interpreter, on the processor: give TRITON_INTERPRET=1 in the environment."""

from __future__ import annotations

import torch

from binary.packed import with_triton
from binary.packed.with_triton import tl, triton  # noqa: F401 - `tl` is looked for beside functions that are interpreted
from binary.packed.words import Arrays
from tests.binary.packed.cases import random_case


@triton.jit
def popcount(x):
    """The bits set; the interpreter has no functions of the GPU's library."""
    x = x - ((x >> 1) & 0x55555555)
    x = (x & 0x33333333) + ((x >> 2) & 0x33333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F
    return (x + (x >> 8) + (x >> 16) + (x >> 24)) & 0xFF


def main() -> None:
    torch.set_num_threads(1)
    with_triton._popcount = popcount
    for seed in range(1, 9):
        case = random_case(seed)
        layer = case.layer("numba")
        arrays = Arrays(
            lanes=layer.lanes.unflatten(0, (-1, layer.geometry.blocks)), base=layer.base, corrections=layer.corrections
        )
        got = with_triton.convolve(case.x, arrays, layer.threshold, layer.geometry, layer.activations, layer.pad)
        assert torch.equal(got, case.expected()), (seed, case.options)


if __name__ == "__main__":
    main()

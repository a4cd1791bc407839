"""The kernels of Triton: on a GPU where there is one, otherwise in Triton's interpreter."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys

import pytest
import torch

from binary.packed.geometry import LANES
from tests.binary.packed.cases import random_case

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")


@needs_triton
def test_interpreted_kernels_give_what_float_convolutions_give():
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    run = subprocess.run(
        [sys.executable, "-m", "tests.binary.packed.interpreted"], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr[-3000:]


@needs_triton
@pytest.mark.parametrize("across", [False, True])
def test_the_kernel_compiles_for_a_gpu_that_is_not_here(across):
    code = importlib.import_module("triton.compiler")
    target = importlib.import_module("triton.backends.compiler").GPUTarget("cuda", 90, 32)
    from binary.packed import with_triton

    words = dict.fromkeys(("rows", "lanes"), "*i32") | dict.fromkeys(("base", "corrections"), "*fp32")
    numbers = dict.fromkeys(("pixels", "plane", "words", "groups", "slabs", "blocks", "outputs", "taps"), "i32")
    kinds = words | {"outside": "*u8", "out": "*fp32"} | numbers | {"scale": "fp32"}
    kinds |= dict.fromkeys(("ACROSS", "PIXELS", "LANES"), "constexpr")
    source = code.ASTSource(with_triton._count, kinds, {"ACROSS": across, "PIXELS": with_triton.PIXELS, "LANES": LANES})
    assert "popc.b32" in code.compile(source, target=target).asm["ptx"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="Triton's kernels need a GPU with CUDA, and none is here")
def test_kernels_on_a_gpu_give_what_float_convolutions_give():
    for seed in range(200):
        case = random_case(seed)
        got = case.layer("triton").cuda()(case.x.cuda()).cpu()
        assert torch.equal(got, case.expected()), (seed, case.options)

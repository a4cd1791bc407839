"""The kernels of Triton: on a GPU where there is one, otherwise in Triton's interpreter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest
import torch

from tests.binary.packed.cases import random_case


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_interpreted_kernels_give_what_float_convolutions_give():
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    run = subprocess.run(
        [sys.executable, "-m", "tests.binary.packed.interpreted"], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr[-3000:]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="Triton's kernels need a GPU with CUDA, and none is here")
def test_kernels_on_a_gpu_give_what_float_convolutions_give():
    for seed in range(200):
        case = random_case(seed)
        got = case.layer("triton").cuda()(case.x.cuda()).cpu()
        assert torch.equal(got, case.expected()), (seed, case.options)

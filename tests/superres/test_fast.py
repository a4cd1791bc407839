"""Memory that is kept, and compiled networks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from common.errors import UserError
from superres import fast
from superres.fast import check_compiler, compiled
from superres.hnas.model import build
from superres.hnas.space import PUBLISHED
from tests.superres.standin import Enlarge

FAULTS = """
import resource, torch
from superres.fast import keep_memory
from superres.upscaling import upscaled
from tests.superres.standin import Small
{keep}
network, low = Small().eval(), torch.rand(1, 3, 768, 768)
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    upscaled(network, low, 2, tile=768)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(sum(faults() for _ in range(5)))
"""


def faults(keep: str) -> int:
    """How often the system has to provide a page of memory, while a picture is upscaled that has been upscaled before."""
    run = subprocess.run([sys.executable, "-c", FAULTS.format(keep=keep)], capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone has the options")
def test_memory_is_kept():
    kept, given_back = faults("assert keep_memory()"), faults("")
    print(kept, given_back)
    assert kept < given_back / 2


def test_a_c_library_without_the_options(monkeypatch):
    monkeypatch.setattr(fast.ctypes, "CDLL", lambda name: object())
    assert not fast.keep_memory()


def test_without_a_compiler(monkeypatch):
    monkeypatch.setattr(fast.shutil, "which", lambda command: None)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UserError, match=r"--compile needs a C\+\+ compiler, and none of g\+\+, .*; install one, or leave"):
        check_compiler()
    monkeypatch.setenv("CXX", "no-compiler")
    with pytest.raises(UserError, match="CXX names no-compiler, which is no command here"):
        check_compiler()
    monkeypatch.setattr(fast.shutil, "which", lambda command: command)
    check_compiler()


def test_a_compiler_that_fails(monkeypatch):
    def broken(low: torch.Tensor) -> torch.Tensor:
        raise torch._dynamo.exc.TorchDynamoException("no header\nand more")

    monkeypatch.setattr(torch, "compile", lambda network, dynamic: broken)
    with pytest.raises(UserError, match=r"--compile: torch cannot compile here \(no header\); leave --compile out"):
        compiled(Enlarge().eval())


@pytest.mark.timeout(300)
@pytest.mark.skipif(not any(shutil.which(command) for command in fast.COMPILERS), reason="there is no C++ compiler")
def test_a_compiled_network_makes_the_same_of_pictures_of_any_size():
    net = replace(PUBLISHED["HNAS-C"], width=3, cells=2, position=1, residual=True)  # interpolates in all ways
    network = build(net).eval()
    torch._dynamo.utils.counters.clear()  # other tests compile too
    made = compiled(network)
    with torch.inference_mode():
        for shape in ((1, 3, 33, 20), (1, 3, 96, 96), (1, 3, 300, 171), (3, 3, 97, 400)):
            low = torch.rand(shape) * 255
            assert torch.allclose(made(low), network(low), atol=1e-3), shape
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1

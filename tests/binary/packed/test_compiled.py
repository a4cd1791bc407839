"""The kernels of a C++ compiler, and what is said where there is none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from binary.packed import with_compiler
from binary.packed.layer import PackedConv2d
from binary.packed.processor import fallback, instructions
from common.errors import UserError
from tests.binary.packed.cases import needs_compiler, random_case


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    return tmp_path


def everything_equal(kernels, monkeypatch):
    monkeypatch.setattr(with_compiler, "compiled", lambda: kernels)
    for seed in range(200):
        case = random_case(seed)
        assert torch.equal(case.layer("compiled")(case.x), case.expected()), (seed, case.options)


@needs_compiler
@pytest.mark.parametrize("flag", ["-march=native", "-march=x86-64", "-march=x86-64-v3"])
def test_they_give_what_float_convolutions_give(flag, own_folder, monkeypatch):
    if flag != "-march=native" and instructions() not in ("avx2", "avx512_bitalg"):
        pytest.skip("the processor has no AVX2")
    monkeypatch.setattr(with_compiler, "FLAGS", tuple(flag if f == "-march=native" else f for f in with_compiler.FLAGS))
    everything_equal(with_compiler.Compiled(with_compiler.build()), monkeypatch)


@needs_compiler
def test_the_source_compiles_with_the_instructions_of_avx512(tmp_path):
    if instructions() == "none":
        pytest.skip("not an x86 processor")
    flags = [flag if flag != "-march=native" else "-march=icelake-server" for flag in with_compiler.FLAGS]
    command = ["c++", *flags, "-Wall", "-Wno-unknown-pragmas", str(with_compiler.SOURCE), "-o", str(tmp_path / "packed.so")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


@needs_compiler
def test_a_library_is_compiled_once(own_folder, monkeypatch):
    library = with_compiler.build()
    assert library.is_relative_to(own_folder) and [*own_folder.rglob("*.so")] == [library]
    written = library.stat().st_mtime_ns
    assert with_compiler.build() == library and library.stat().st_mtime_ns == written
    monkeypatch.setattr(with_compiler, "FLAGS", ("-O1", *with_compiler.FLAGS[1:]))
    assert with_compiler.build() != library, "other flags make another library"


def test_without_a_compiler(monkeypatch):
    with_compiler.compiled.cache_clear()
    monkeypatch.setenv("CXX", "no-compiler")
    with pytest.raises(UserError, match="CXX names no-compiler, which is no command here; install one, or give kernel='numba'"):
        PackedConv2d(torch.ones(1, 1, 1, 1), kernel="compiled")
    monkeypatch.delenv("CXX")
    monkeypatch.setattr(shutil, "which", lambda command: None)
    with pytest.raises(UserError, match=r"needs a C\+\+ compiler, and none of c\+\+, g\+\+, clang\+\+ is here"):
        PackedConv2d(torch.ones(1, 1, 1, 1), kernel="compiled")


@needs_compiler
def test_a_compiler_that_fails(own_folder, monkeypatch):
    source = own_folder / "packed.cpp"
    source.write_text("#error not today\n")
    monkeypatch.setattr(with_compiler, "SOURCE", source)
    with pytest.raises(UserError, match=r"kernel='compiled': .*\+\+ fails \(.*not today.*\); give kernel='numba'"):
        with_compiler.build()


@needs_compiler
def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"kernel='compiled' cannot write it .*set TORCH_EXTENSIONS_DIR"):
        with_compiler.build()


def test_the_folder_is_that_of_torch(monkeypatch):
    from torch.utils.cpp_extension import get_default_build_root

    monkeypatch.delenv("TORCH_EXTENSIONS_DIR", raising=False)
    assert with_compiler.folder() == Path(get_default_build_root())


@pytest.mark.parametrize(
    ("features", "best"),
    [
        ({"avx512bitalg": True, "avx512bw": True, "avx2": True}, "avx512_bitalg"),
        ({"avx512bitalg": False, "avx512bw": True, "avx2": True, "popcnt": True}, "avx2"),
        ({"avx2": False, "popcnt": True}, "popcnt"),
        ({}, "none"),
    ],
)
def test_instructions(features, best, monkeypatch):
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_features", lambda: features)
    assert instructions() == best
    told = {"popcnt": "counted with the instruction popcnt, alike", "none": "counted with shifts and masks, alike"}
    assert (told[best] in (fallback() or "")) if best in told else fallback() is None

"""What a run ran on, so that a number can be traced: versions, commit, machine. Nothing that names a host or a person."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "tasknas",
    "torch",
    "torchvision",
    "numpy",
    "safetensors",
    "mmengine",
    "mmcv-lite",
    "mmcv",
    "mmdet",
    "mmsegmentation",
    "torch-geometric",
    "torchmetrics",
    "onnx",
    "onnxruntime",
)
"""Packages whose version can change a result; those that are not installed are left out."""

VARIABLES = (
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "BLIS_", "VECLIB_", "NUMEXPR_", "NPY_"),
    *("ATEN_", "TORCH_", "PYTORCH_", "DNNL_", "ONEDNN_", "CUBLAS_", "CUDNN_", "CUDA_", "NVIDIA_", "TF32_", "PYTHONHASHSEED"),
)
"""How the names of such variables begin."""


def environment() -> dict[str, Any]:
    """What a run ran on, as JSON values.

    Returns:
        `versions`, `git` (None outside a checkout), `machine` and `variables`.
    """
    root = Path(__file__).resolve().parents[2]
    return {"versions": versions(), "git": git(root), "machine": machine(), "variables": variables()}


def variables() -> dict[str, str]:
    """Environment variables that libraries for numbers read: threads, instruction sets, precision. Name -> value.

    Threads are set anew in every process after torch is imported. The others can change the last digits of a result, hence the
    record. A value that holds a path is not recorded.
    """
    found = {name: value for name, value in os.environ.items() if name.startswith(VARIABLES)}
    return {name: "(a path)" if "/" in value or "\\" in value else value[:80] for name, value in sorted(found.items())}


def versions() -> dict[str, str]:
    """Package -> installed version, Python's own first."""
    found = {"python": platform.python_version()}
    return found | {package: known for package in PACKAGES if (known := _installed(package)) is not None}


@cache
def _installed(package: str) -> str | None:
    """The version of a package; it stays while a process runs, and reading all takes a twentieth of a second."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def git(root: Path) -> dict[str, Any] | None:
    """The commit of the checkout at `root` and whether tracked files differ from it; None if `root` is not a checkout."""
    top, _, commit = (_git(root, "rev-parse", "--show-toplevel", "HEAD") or "").partition("\n")
    if not commit or Path(top).resolve() != root.resolve():  # installed below somebody else's repository
        return None
    return {"commit": commit, "dirty": bool(_git(root, "status", "--porcelain", "--untracked-files=no"))}


def machine() -> dict[str, Any]:
    """System, processor, usable cores, memory in GiB, GPUs and torch's threads."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": cores,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpus": gpus,
        "torch_threads": torch.get_num_threads(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.processor() or "unknown",
    )


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

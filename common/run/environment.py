"""What a run ran on, so that a number can be traced: versions, commit, machine. Nothing that names a host or a person."""

from __future__ import annotations

import os
import platform
import subprocess
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


def environment() -> dict[str, Any]:
    """Versions, git commit and machine, as JSON values: keys `versions`, `git` (None outside a checkout) and `machine`."""
    return {"versions": versions(), "git": git(Path(__file__).resolve().parents[2]), "machine": machine()}


def versions() -> dict[str, str]:
    """Package -> installed version, Python's own first."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git(root: Path) -> dict[str, Any] | None:
    """The commit of the checkout at `root` and whether tracked files differ from it; None if `root` is not a checkout."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():  # installed below somebody else's repository
        return None
    commit = _git(root, "rev-parse", "HEAD")
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

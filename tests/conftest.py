"""What every test stands on: one torch thread, and the folder of real data where there is one."""

import functools
import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from common import export
from common.tables.load import data_folder

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started by nohup or with &: tests of interrupts would wait for ever
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
torch.set_num_threads(1)  # more threads than cores make a loaded machine many times slower, and change sums


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes, the tests of a module share one, and what its fixtures made; modules of slow tests come first."""
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("xdist_group")}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Modules and tests live to the end; to look for garbage among them, or often, takes a twentieth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 20, 100)
    gc.enable()  # the first conftest has turned it off


@pytest.fixture(scope="session", autouse=True)
def functions_of_onnx_parsed_once() -> Iterator[None]:
    """onnxscript parses its 500 functions anew at every export, a third of the time; what it finds is the same in a process."""
    write = export._write

    def writing(*args: Any) -> bool:
        from torch.onnx._internal.exporter import _registration  # takes seconds: only where something is exported

        apis = _registration.onnxscript_apis
        if not hasattr(apis.get_torchlib_ops, "cache_info"):
            apis.get_torchlib_ops = functools.cache(apis.get_torchlib_ops)
        return write(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "_write", writing)
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_waits_for_the_disk() -> Iterator[None]:
    """A small run waits for the disk two hundred times, which only a loss of power would show; that it asks for it has tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session")
def tasknas_data() -> Path:
    """The folder of real data sets: `TASKNAS_DATA`, by default `../shared/data` beside the repository."""
    folder = data_folder()
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is no folder (set TASKNAS_DATA)")
    return folder


@pytest.fixture(scope="session")
def nasbench(tasknas_data: Path) -> Callable[[str, str], Path]:
    """(folder below `nasbench/`, file in it) -> the folder of a real benchmark table."""

    def found(name: str, file: str) -> Path:
        folder = tasknas_data / "nasbench" / name
        if not (folder / file).is_file():
            pytest.skip(f"no real table: {folder / file} is missing")
        return folder

    return found

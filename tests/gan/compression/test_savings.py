"""Measured savings where an exported network cannot be timed."""

import json
import sys
from types import SimpleNamespace

import pytest
from torch import nn

from common.cost.latency import Latency
from common.run.progress import Progress
from common.space import Arch
from gan.compression import stages
from gan.compression.stages import Savings


@pytest.fixture
def context(tmp_path, monkeypatch):
    """A run whose teacher takes 6 ms in torch and 4 ms exported, and whose found network takes 3 ms and 1 ms."""
    teacher, found = nn.Conv2d(3, 6, 1), nn.Conv2d(3, 3, 1)
    task = SimpleNamespace(
        settings=SimpleNamespace(data=SimpleNamespace(size=8)),
        teacher=lambda device: teacher,
        network=lambda arch, seed: found,
        costs=lambda arch: {"macs": 10, "params": 20},
        teacher_costs={"macs": 40, "params": 60},
    )
    written = {}

    def export(network, inputs, file):
        written[file] = network

    def taken(ms):
        return Latency(median_ms=ms, iqr_ms=0.5, conditions={"threads": 1})

    monkeypatch.setattr(stages, "measure", lambda network, inputs, repeats: taken(6.0 if network is teacher else 3.0))
    monkeypatch.setattr(stages, "measure_onnx", lambda file, inputs, repeats: taken(4.0 if written[file] is teacher else 1.0))
    monkeypatch.setattr(stages, "export_onnx", export)
    folder = SimpleNamespace(path=tmp_path)
    return SimpleNamespace(task=task, folder=folder, progress=Progress(quiet=True), found=lambda search: Arch({}))


def test_times_are_of_exported_networks_where_they_can_be(context, tmp_path):
    result = Savings(search=None).run(context)
    assert (result["latency_ratio_torch"], result["latency_ratio_exported"]) == (2.0, 4.0)
    assert "note" not in result
    tile = json.loads((tmp_path / "tiles.json").read_text())[-1]
    assert (tile["value"], tile["of"]) == ("4.0x", "1.0 ms instead of 4.0, exported; in PyTorch 2.0x")


def test_without_onnx_times_are_those_in_torch_and_the_report_says_so(context, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = Savings(search=None).run(context)
    assert result["latency_ratio_torch"] == 2.0 and "latency_ratio_exported" not in result
    assert result["macs_ratio"] == 4.0
    assert result["note"] == (
        "Times are those in PyTorch: onnxruntime not installed: export needs it; run pip install 'tasknas[export]'"
    )
    tile = json.loads((tmp_path / "tiles.json").read_text())[-1]
    assert (tile["value"], tile["of"]) == ("2.0x", "3.0 ms instead of 6.0, in PyTorch")

from pathlib import Path

import pytest
import torch
from torch import nn

from common.cost.latency import measure, measure_onnx
from common.cost.measuring import build_table, errors
from common.cost.table import LatencyTable, spearman
from common.errors import UserError
from common.export import export_onnx
from common.space import sample
from common.supernet import Supernet, opened
from tests.common.cost.chains import build, chain_space
from tests.common.supernet import networks as mixed


class Slow(nn.Module):
    """Takes as long as it is told, in passes over a matrix."""

    def __init__(self, passes: int) -> None:
        super().__init__()
        self.passes = passes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(self.passes):
            x = torch.tanh(x)
        return x


def test_measure():
    x = torch.zeros(4, 20_000)
    quick, slow = measure(Slow(1), (x,), repeats=9, warmup=1), measure(Slow(30), (x,), repeats=9, warmup=1)
    assert 5 * quick.median_ms < slow.median_ms
    assert quick.iqr_ms >= 0
    assert quick.conditions["batch"] == 4 and quick.conditions["dtype"] == "float32"
    assert quick.conditions["threads"] == torch.get_num_threads() and "cpu" in str(quick.conditions["device"])
    with pytest.raises(UserError, match="at least 2"):
        measure(Slow(1), (x,), repeats=1)


def test_the_clock_waits_for_the_device_before_the_first_pass_and_after_each(monkeypatch):
    happened: list[str] = []

    class Told(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            happened.append("pass")
            return x

    monkeypatch.setattr("common.cost.latency._wait", lambda device: happened.append("wait"))
    measure(Told(), (torch.zeros(1, 1),), repeats=2, warmup=1)
    assert happened == ["wait", *["pass", "wait"] * 3]


def test_an_exported_network_is_timed_as_it_runs(tmp_path: Path):
    pytest.importorskip("onnxruntime")
    images = (torch.zeros(2, 3, 32, 32),)
    medians = []
    for width in (2, 64):
        layers = [nn.Conv2d(3, width, 3, padding=1), *(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))]
        export_onnx(nn.Sequential(*layers), images, tmp_path / "model.onnx")
        found = measure_onnx(tmp_path / "model.onnx", images, repeats=9, warmup=2)
        assert found.median_ms > 0 and found.iqr_ms >= 0
        assert (found.conditions["batch"], found.conditions["threads"], found.conditions["dtype"]) == (2, 1, "float32")
        assert "onnxruntime" in found.conditions and "torch" not in found.conditions
        medians.append(found.median_ms)
    assert medians[1] > 3 * medians[0]  # a hundred times the multiply-adds
    with pytest.raises(UserError, match="at least 2 timed passes"):
        measure_onnx(tmp_path / "model.onnx", images, repeats=1)


def test_spearman():
    assert spearman([1, 2, 3], [10, 20, 25]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 1, 1], [3, 2, 1]) == 0
    assert spearman([1, 2, 2, 4], [1, 2, 3, 4]) == pytest.approx(0.9486833)


def test_table_of_times_set_by_hand(monkeypatch, tmp_path: Path):
    # Every convolution weight takes a microsecond: predictions must then be exact, since options do not influence each other.
    from common.cost import latency, measuring

    def weigh(module, inputs, *, named=None, repeats, device="cpu"):
        return latency.Latency(median_ms=sum(p.numel() for p in module.parameters()) / 1000, iqr_ms=0.0, conditions={})

    monkeypatch.setattr(measuring, "measure", weigh)
    space = chain_space(3)
    supernet, image, lines = Supernet(build(opened(space)), space), (torch.zeros(1, 3, 16, 16),), []
    made = build_table(supernet, image, build, repeats=2, observe=lines.append)
    assert len(lines) == 3 and made.labels["kernels.0"] == ["0", "3", "5", "7"]
    found = errors(made, supernet, image, build, n=6)
    assert found.median_percent < 1e-3 and found.spearman == pytest.approx(1)
    (tmp_path / "table.json").write_text(made.text())
    assert LatencyTable.load(tmp_path / "table.json", space) == made
    with pytest.raises(UserError, match="another space"):
        LatencyTable.load(tmp_path / "table.json", chain_space(4))


def test_table_of_every_kind_of_decision():
    import random

    space = mixed.SPACE
    made = build_table(Supernet(mixed.build(opened(space)), space), (torch.rand(1, 3, 8, 8),), mixed.build, repeats=2)
    assert made.base_ms > 0 and made.conditions["batch"] == 1
    assert made.predict(sample(space, random.Random(0))) == made.predict(sample(space, random.Random(0)))
    with pytest.raises(UserError, match="no decision 'odd'"):
        made.predict({"odd": 0})


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"rows": {}}'])
def test_bad_table_files(tmp_path: Path, text):
    if text is not None:
        (tmp_path / "t.json").write_text(text)
    with pytest.raises(UserError, match=r"t\.json"):
        LatencyTable.load(tmp_path / "t.json", chain_space(3))

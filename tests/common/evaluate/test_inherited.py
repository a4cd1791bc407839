"""Scores with inherited weights: of the path that is asked for, with statistics of its own or with the supernet's."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import nn

from common.evaluate.inherited import Inherited
from common.space import Arch, OneOf
from common.supernet import Supernet, choose, opened
from common.task import Calibration

SPACE = {"op": OneOf(1.0, -1.0)}
ONE, TWO = Arch({"op": 0}), Arch({"op": 1})


class Scaled(nn.Module):
    """Normalises and multiplies."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.norm, self.factor = nn.BatchNorm1d(1, affine=False, eps=1e-9), factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * self.norm(x)


def supernet() -> Supernet:
    """Two options of opposite signs; the supernet's own statistics are mean 0 and variance 1."""
    return Supernet(choose(opened(SPACE)["op"], Scaled).train(), SPACE)


@dataclass(frozen=True)
class Task:
    """Measures what the network makes of 1; items for calibration are 0, 2, 4, ... for the first batch, 10 more for each next."""

    calibrates: bool = True

    @property
    def calibration(self) -> Calibration | None:
        def batches(count: int, size: int) -> list[torch.Tensor]:
            return [10.0 * i + 2 * torch.arange(size, dtype=torch.float32)[:, None] for i in range(count)]

        return Calibration(batches=batches, forward=lambda network, x: network(x)) if self.calibrates else None

    def metrics(self, network: nn.Module, split: str, limit: int | None) -> dict[str, float]:
        assert split == "val" and not network.training
        with torch.no_grad():
            return {"of_one": float(network(torch.ones(1, 1))), "items": -1.0 if limit is None else limit}


def inherited(task: Any, batches: int, size: int = 2) -> Inherited:
    return Inherited(task=task, supernet=supernet(), calibration_batches=batches, calibration_batch=size)


@pytest.mark.parametrize(
    ("batches", "size", "mean", "variance"),
    [(1, 2, 1, 2), (1, 4, 3, 20 / 3), (2, 2, 6, 2)],  # of 0 and 2; of 0, 2, 4 and 6; of these means, 1 and 11
)
def test_a_path_is_measured_with_the_statistics_of_the_calibration_batches(batches, size, mean, variance):
    (score,) = inherited(Task(), batches, size)([TWO], "full")
    assert score.values["of_one"] == pytest.approx((mean - 1) / variance**0.5, abs=1e-6)
    assert score.status == "ok" and 0 < score.seconds < 10


@pytest.mark.parametrize(("task", "batches"), [(Task(), 0), (Task(calibrates=False), 3)])
def test_without_calibration_the_statistics_are_those_of_the_supernet(task, batches):
    assert [s.values["of_one"] for s in inherited(task, batches)([ONE, TWO], "full")] == pytest.approx([1.0, -1.0])


def test_statistics_of_the_supernet_are_as_before_and_the_limit_is_passed_on():
    evaluate = replace(inherited(Task(), 2), limit=7)
    before = {name: value.clone() for name, value in evaluate.supernet.module.state_dict().items()}
    assert [s.values["items"] for s in evaluate([ONE, TWO, ONE], "full")] == [7, 7, 7]
    assert all(torch.equal(value, before[name]) for name, value in evaluate.supernet.module.state_dict().items())
    assert inherited(Task(), 2)([ONE], "full")[0].values["items"] == -1

"""A sub-network is scored with normalisations of its own, and leaves those of the search as they were."""

from types import SimpleNamespace

import torch
from torch import nn

from common.differentiable.search import calibrated_score
from common.engines.dropping import AbandonSettings
from common.objective import Objective
from common.task import Calibration


def test_a_score_is_of_statistics_of_the_sub_network():
    network = nn.Sequential(nn.BatchNorm1d(1, affine=False))
    before = network[0].running_mean.clone()
    seen = []
    task = SimpleNamespace(
        objectives=(Objective("accuracy"),),
        metrics=lambda network, split, items: seen.append(network[0].running_mean.item()) or {"accuracy": 0.5},
        calibration=Calibration(
            batches=lambda count, batch: [torch.full((batch, 1), 3.0)] * count, forward=lambda network, batch: network(batch)
        ),
    )
    for batches in (4, 0):
        assert calibrated_score(task, network, AbandonSettings(items=8, calibration_batches=batches)) == 0.5
    assert seen == [3.0, 0.0]
    assert torch.equal(network[0].running_mean, before) and network.training

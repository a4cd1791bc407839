"""How far the checks of a differentiable search think that a logit can go."""

import pytest
import torch

from common.engines import Gradient
from common.stages.option_checks import moved_at_most
from common.train.optim import ArchSettings


@pytest.mark.parametrize(("power", "least"), [(0, 0.99), (1, 1.6), (2, 2.0)])
def test_a_logit_goes_no_farther_under_gradients_that_grow(power, least):
    """Adam's denominator lags behind them: with gradients t^p it is about t^p / sqrt(2 p + 1)."""
    engine = Gradient(arch=ArchSettings(lr=0.01, weight_decay=0.0), std=0.0)
    logit = torch.zeros(1, requires_grad=True)
    adam = torch.optim.Adam([logit], lr=0.01, betas=engine.arch.betas)
    for step in range(1, 201):
        logit.grad = torch.tensor([float(step) ** power])
        adam.step()
    moved = -float(logit.detach())
    assert least * 0.01 * 200 < moved <= moved_at_most(engine, 200)

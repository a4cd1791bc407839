"""The search at toy scale: rewards rise, and the upsampling moves later as lambda falls."""

from dataclasses import replace
from pathlib import Path
from statistics import fmean, pstdev

import torch

from common.expression import parse
from common.space import sample
from common.streams import stream
from common.supernet import Supernet
from common.train.controlled import PolicyPaths
from common.train.fit import fit
from common.train.optim import ArchSettings, make_optimizer
from common.train.schedules import cosine
from common.train.step import Losses
from superres.hnas.recipes import reward, smoke
from superres.hnas.settings import SpaceSettings
from superres.hnas.system import SYSTEM
from superres.settings import DataSettings

TURNS, EVERY, BURST = 30, 2, 6


def toy():
    """Rows of four narrow cells on patches of 12 pixels of low resolution."""
    s = smoke()
    return replace(
        s,
        data=DataSettings(patch=24, val=1, test=1),
        space=SpaceSettings(width=2, cells=4, residual=True),
        width=2,
        weights=replace(s.weights, steps=TURNS * EVERY, batch=2),
    )


def searched(balance: float) -> tuple[float, list[float]]:
    """Mean position that the policy draws after a search with lambda, and the mean reward of every turn.

    The unit of the cost is such that costs and PSNR of random architectures, at the beginning, vary by as much.
    """
    task = SYSTEM.make(toy(), Path("none"))
    weights, architecture = task.phases("relaxed")
    supernet = Supernet(task.supernet(0), task.space)
    model = Losses(supernet.module, architecture.loss)
    archs = [sample(task.space, stream(0, "calibration", number)) for number in range(40)]
    seen = []
    for number, arch in enumerate(archs):
        supernet.activate(arch)
        with torch.no_grad():
            seen.append(float(architecture.loss(supernet.module, architecture.batch_at(number, 0), None)["PSNR"]))
    unit = pstdev(task.costs(arch)["macs_deconv"] for arch in archs) / pstdev(seen)
    engine = replace(
        toy().search.engine,
        reward=reward(balance, unit),
        arch=ArchSettings(lr=0.015, weight_decay=0.0, every=EVERY),
        burst=BURST,
        restart=False,
        entropy=0.0,
    )
    assert task.networks.policy is not None
    paths = PolicyPaths(
        settings=engine,
        policy=task.networks.policy(0),
        reward=parse(engine.reward),
        supernet=supernet,
        model=model,
        batch=lambda number: architecture.batch_at(number % BURST, 0),  # the same ones at every turn: rewards can be compared
        costs=task.costs,
        weights=(optimizer := make_optimizer(supernet.module, weights.settings.optim)),
        seed=0,
    )
    rewards: list[float] = []
    fit(
        Losses(supernet.module, weights.loss),
        batch_at=lambda number: weights.batch_at(number, 0),
        optimizer=optimizer,
        schedule=cosine(),
        steps=TURNS * EVERY,
        participants=[paths],
        observe=lambda step, _: rewards.append(paths.observed["reward"]) if step % EVERY == EVERY - 1 else None,
    )
    rng = stream(0, "positions")
    return fmean(paths.policy.sample(rng).arch["position"] for _ in range(60)), rewards


def test_rewards_rise_and_the_upsampling_moves_later_as_lambda_falls():
    found = {balance: searched(balance) for balance in (0.9, 0.1)}
    print({balance: (position, fmean(rewards[:5]), fmean(rewards[-5:])) for balance, (position, rewards) in found.items()})
    positions = [position for position, _ in found.values()]
    assert positions[1] > 2.5, "of 0 to 3"
    assert positions[1] > positions[0] + 0.5, "seen: 1.0 to 1.3 apart"
    for _, rewards in found.values():
        assert fmean(rewards[-5:]) > fmean(rewards[:5])

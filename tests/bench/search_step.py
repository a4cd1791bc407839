"""What a step of a differentiable search costs, in steps of a network trained alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from time import process_time

import torch
from torch import nn

from classification.darts.settings import RECIPES, NetworkSettings
from classification.task import ClassificationTask
from common.cost.count import count
from common.differentiable.search import alternation_of
from common.task import Phase
from common.train.fit import fit
from common.train.optim import make_optimizer, make_schedule
from tests.bench.rows import Row

PASSES = {"first-order": 3 + 2, "one-level": 3 + 2, "second-order": 3 + 3 + 3 + 2 * 2}
"""Forward passes' worth of multiply-adds in a step of a search: 3 for weights (forward, gradients of activations and of weights),
2 for logits. Second order takes the weights' gradient of two losses and the logits' at two shifted weights besides.
"""
DRAWS = 20
"""Mixtures whose multiply-adds are averaged where options are sampled."""


def search_steps(repeats: int) -> Iterator[Row]:
    """A row for each method of the DARTS family: its search step over the step of hand-made cells in the same network."""
    for method, recipes in RECIPES.items():
        s = recipes["small"]()
        same = NetworkSettings(width=s.space.width, cells=s.space.cells, drop_path=0.0, auxiliary=0.0, cutout=0)
        weights = replace(s.weights, batch=16)
        search = replace(s.search, arch=replace(s.search.arch, begin=0.0))
        task = ClassificationTask(replace(s, weights=weights, train=weights, search=search, network=same))
        alternation = alternation_of(search, task, 0)
        alone = task.network(task.baseline, 0)

        weigh = one_step(alternation.model, task.phases("supernet")[0], alternation.before_step)
        pair = (weigh, one_step(alone, task.phases("standalone")[0]))
        ratios: list[float] = []
        for repeat in range(repeats + 1):
            times = [0.0, 0.0]
            for side in (0, 1) if repeat % 2 else (1, 0):
                start = process_time()
                pair[side]()
                times[side] = process_time() - start
            if repeat:  # the first is a warm-up
                ratios.append(times[0] / times[1])
        image = (torch.empty(1, 3, s.data.size, s.data.size),)
        macs = 0.0
        for step in range(DRAWS):
            alternation.relaxation.mix(step, 0.0, frozen=True)
            macs += count(alternation.model, image).macs / DRAWS
        share = macs / count(alone, image).macs
        yield Row(
            what=f"search step / step alone, {method}",
            unit="",
            values=ratios,
            bound=PASSES[search.rule] / 3 * share,
            note=f"{s.space.cells} cells of {s.space.nodes} nodes, width {s.space.width}, {weights.batch} images of "
            f"{s.data.size} px, the two in turns (processor time, one thread); the supernet has "
            f"{share:.2f} times the multiply-adds of the cells alone.",
        )


def one_step(module: nn.Module, phase: Phase, before: Callable | None = None) -> Callable[[], object]:
    """A training step of `module` as a run takes it, its batch included."""
    optimizer = make_optimizer(module, phase.settings.optim)
    schedule = make_schedule(phase.settings.optim)
    return lambda: fit(
        module,
        batch_at=lambda step: phase.batch_at(step, 0),
        loss=phase.loss,
        optimizer=optimizer,
        schedule=schedule,
        steps=1,
        before_step=before,
        clip_norm=phase.settings.optim.clip,
    )

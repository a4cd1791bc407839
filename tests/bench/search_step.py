"""What a step of a differentiable search costs: time in steps of a network trained alone, memory in steps without sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from classification.darts.networks import searched
from classification.darts.recipes import RECIPES
from classification.darts.settings import NetworkSettings
from classification.darts.system import SYSTEM
from common.cost.count import count
from common.cost.memory import peak_memory
from common.differentiable.search import alternation_of
from common.engines import Gradient
from common.relax.relaxation import Relaxation
from common.relax.weightings import Softmax
from common.supernet import Supernet, opened
from common.task import Phase
from common.train.fit import fit
from common.train.optim import make_clip, make_optimizer, make_schedule
from common.train.step import Losses, Participant
from segmentation import mm
from segmentation.dcnas.recipes import RECIPES as DCNAS
from segmentation.dcnas.segmentor import segmentor
from segmentation.dcnas.sizes import SIZES
from tests.bench.plain_search import Plain, plain_step
from tests.bench.rows import Row
from tests.bench.timing import ratios

PASSES = {
    "first-order": 3 + 2,
    "one-level": 3,
    "mixed-level": 3 + 2 * 2,
    "second-order": 3 + 3 + 3 + 2 * 2,
    "amended": 3 + 3 + 2 * 3 + 2 * 2,
}
"""Forward passes' worth of multiply-adds in a step of a search: 3 for weights (forward, gradients of activations and of weights),
2 for logits. Second order takes the weights' gradient of two losses and the logits' at two shifted weights besides; the amended
gradient that of one loss, and at shifted weights twice that of the weights and twice that of the logits.
"""
DRAWS = 20
"""Mixtures whose multiply-adds are averaged where options are sampled."""


def search_steps(repeats: int, recipe: str = "small", methods: Sequence[str] = tuple(RECIPES)) -> Iterator[Row]:
    """A row for each method of the DARTS family: its search step over the step of hand-made cells in the same network."""
    for method in methods:
        s = RECIPES[method][recipe]()
        same = NetworkSettings(width=s.space.width, cells=s.space.cells, drop_path=0.0, auxiliary=0.0, cutout=0)
        weights = replace(s.weights, batch=16)
        engine = s.search.engine
        assert isinstance(engine, Gradient)
        search = replace(engine, arch=replace(engine.arch, begin=0.0))
        changed = replace(s, weights=weights, train=weights, search=replace(s.search, engine=search), network=same)
        task = SYSTEM.make(changed, Path("weights"))
        alternation = alternation_of(search, task, 0)
        alone = task.network(task.baseline, 0)
        searching = one_step(alternation.model.network, task.phases("relaxed")[0], [alternation])
        found = ratios(searching, one_step(alone, task.phases("standalone")[0]), repeats, warm_up=1)
        image = (torch.empty(1, 3, s.data.size, s.data.size),)
        macs = 0.0
        for step in range(DRAWS):
            alternation.relaxation.mix(step, 0.0, frozen=True)
            macs += count(alternation.model.network, image).macs / DRAWS
        share = macs / count(alone, image).macs
        yield Row(
            what=f"search step / step alone, {method}",
            unit="",
            values=found,
            bound=PASSES[search.rule] / 3 * share,
            note=f"{s.space.cells} cells of {s.space.nodes} nodes, width {s.space.width}, {weights.batch} images of "
            f"{s.data.size} px, the two in turns (processor time, one thread); the supernet has "
            f"{share:.2f} times the multiply-adds of the cells alone.",
        )


LIMITS = {"darts": 0.55, "darts2": 0.65, "pc-darts": 0.6, "gdas": 0.75}
"""Method -> the most that our step may take of the plain one's time."""
MEMORY = 1.05
"""The most that it may take of the plain one's peak memory."""


def plain_search_steps(repeats: int, recipe: str = "small", methods: Sequence[str] = tuple(LIMITS)) -> Iterator[Row]:
    """A row for each method that has a plain form: our search step over that of the network as the papers' code writes it."""
    for method in methods:
        s = RECIPES[method][recipe]()
        weights, engine = replace(s.weights, batch=16), s.search.engine
        assert isinstance(engine, Gradient)
        search = replace(engine, arch=replace(engine.arch, begin=0.0))
        task = SYSTEM.make(replace(s, weights=weights, search=replace(s.search, engine=search)), Path("weights"))
        alternation, (train, learn) = alternation_of(search, task, 0), task.phases("relaxed")
        torch.manual_seed(0)
        network = Plain(searched(s, len(task.data.classes)), s.space.nodes, draws=method == "gdas")
        plain = plain_step(network, partial(train.batch_at, seed=0), partial(learn.batch_at, seed=0), 0.05, method == "darts2")
        ours = one_step(alternation.model.network, train, [alternation])
        size = (
            f"{s.space.cells} cells of {s.space.nodes} nodes, width {s.space.width}, {weights.batch} images of {s.data.size} px"
        )
        yield Row(
            what=f"search step / the same written plainly, {method}",
            unit="",
            target=LIMITS[method],
            values=ratios(ours, plain, repeats, warm_up=1),
            note=f"{size}, in turns (processor time, one thread); plainly: one module an option, a weighted sum an edge.",
        )
        whole = peak_memory(plain)
        yield Row(
            what=f"peak memory of a search step / the same written plainly, {method}",
            unit="",
            target=MEMORY,
            values=[peak_memory(ours) / whole for _ in range(3)],
            note=f"{size}, three steps of ours over one of the other, which takes {whole / 2**20:,.0f} MiB.",
        )


def search_memory() -> Row:
    """Peak memory of a DCNAS search step with half of the paths and a quarter of the channels, over the unsampled step."""
    s = DCNAS["small"]()
    rng = torch.Generator().manual_seed(0)
    height, width = s.data.crop
    images = torch.randint(0, 256, (s.weights.batch, 3, height, width), dtype=torch.uint8, generator=rng)
    classes = SIZES["small"].classes
    labels = torch.randint(0, classes, (s.weights.batch, height, width), generator=rng)

    def peaks(keep: float, partial: int) -> list[int]:
        space = replace(s.space.open(), partial=partial)
        network = segmentor(opened(space), s.head, classes)
        supernet = Supernet(network, space)
        relaxation = Relaxation(supernet=supernet, options=Softmax(), members=Softmax(keep=keep))

        def step(number: int) -> None:
            relaxation.mix(number, 0.0)
            torch.stack([*mm.losses(network, images, labels).values()]).sum().backward()
            network.zero_grad(set_to_none=False)  # gradients of the weights are no memory of a step

        step(0)
        return [peak_memory(lambda number=number: step(number)) for number in range(1, 4)]

    (whole, *_), sampled = peaks(1.0, 1), peaks(0.5, 4)
    return Row(
        what="peak memory of a DCNAS search step, paths 1/2 and channels 1/4 / unsampled",
        unit="",
        target=0.5,
        values=[peak / whole for peak in sampled],
        note=f"space small, {s.weights.batch} crops of {height}x{width}, three draws; unsampled {whole / 2**20:,.0f} MiB.",
    )


def one_step(module: nn.Module, phase: Phase, participants: Sequence[Participant] = ()) -> Callable[[], object]:
    """A training step of `module` as a run takes it, its batch included."""
    optimizer = make_optimizer(module, phase.settings.optim)
    schedule = make_schedule(phase.settings.optim)
    return lambda: fit(
        Losses(module, phase.loss),
        batch_at=lambda step: phase.batch_at(step, 0),
        optimizer=optimizer,
        schedule=schedule,
        steps=1,
        participants=participants,
        clip=make_clip(phase.settings.optim),
    )

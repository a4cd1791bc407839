"""The measurements."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from typing import Any

import torch
from torch import Tensor, nn

from common.cost.conventions import Convention, conv_linear, output_elements
from common.cost.price import Price
from common.objective import Objective
from common.run.folder import RunFolder
from common.search.aging_evolution import AgingEvolution
from common.search.base import Scores, Trial
from common.search.driver import search
from common.search.topk_evolution import TopKEvolution
from common.space import Arch, OneOf, sample
from common.supernet import Supernet, opened
from detection.detnas.model import build
from detection.detnas.networks import TINY, spaces
from detection.detnas.space import backbone
from gan.compression.model import build as build_generator
from gan.compression.space import open_space
from tests.bench.graph_step import graph_search_steps
from tests.bench.packed import packed_rows
from tests.bench.packed_network import packed_network_rows
from tests.bench.pyramids import bifpn, nas_fpn
from tests.bench.rows import Row
from tests.bench.search_step import plain_search_steps, search_memory, search_steps
from tests.bench.timing import ratios, timed
from tests.bench.upscaling import upscaling_rows

ROOT = Path(__file__).resolve().parents[2]


def step(module: nn.Module, inputs: Tensor) -> Callable[[], None]:
    """A forward and a backward pass; gradients of the pass before are gone when it starts."""

    def run() -> None:
        outputs = module(inputs)
        torch.stack([output.mean() for output in outputs]).sum().backward()

    return run


def paths(name: str, space: Any, inputs: Tensor, *, repeats: int, archs: int = 4, channels_last: bool = False) -> Row:
    """Sampled path of the supernet over the extracted network."""
    layout: Any = {"memory_format": torch.channels_last} if channels_last else {}
    supernet = Supernet(build(opened(space)).to(**layout), space)
    supernet.module.train()
    rng = Random(0)
    found: list[float] = []
    for _ in range(archs):
        arch = sample(space, rng)
        alone = supernet.extract(arch, lambda net: build(net).to(**layout)).train()
        supernet.activate(arch)

        def without_gradients(alone: nn.Module = alone) -> None:
            for module in (supernet.module, alone):
                module.zero_grad(set_to_none=True)

        pair = (step(supernet.module, inputs), step(alone, inputs))
        found += ratios(*pair, repeats, warm_up=2, before=without_gradients)
    return Row(
        what=f"sampled path / extracted network, {name}",
        unit="",
        target=1.03,
        values=found,
        note=f"forward and backward in training mode, {archs} random architectures, the two timed in turns (processor time, one "
        "thread), the ratio of each pair.",
    )


def large() -> tuple[Any, nn.Module]:
    """The space of 40 genes and its supernet, without memory for weights."""
    space = backbone("1.3G")
    with torch.device("meta"):
        return space, build(opened(space))


def activation(repeats: int) -> Row:
    """Time of `activate`."""
    space, module = large()
    supernet, rng = Supernet(module, space), Random(0)
    archs = [sample(space, rng) for _ in range(100)]
    times = [timed(lambda: [supernet.activate(arch) for arch in archs]) / len(archs) * 1000 for _ in range(repeats)]
    return Row(
        what="`activate` of 40 genes",
        unit="ms",
        target=0.1,
        values=times,
        note="DetNAS's 1.3G space, 100 random architectures a repeat.",
    )


def generators() -> tuple[Any, nn.Module]:
    """GAN Compression's largest choice set and its supernet, likewise."""
    space = open_space("channels-64-pix2pix")
    with torch.device("meta"):
        return space, build_generator(opened(space))


def pricing(repeats: int, of: str, made: tuple[Any, nn.Module], side: int, convention: Convention) -> Row:
    """Architectures priced in a second."""
    space, module = made
    image = torch.empty(1, 3, side, side, device="meta")
    start = perf_counter()
    price = Price(module, (image,), space, convention=convention)
    filled = perf_counter() - start
    rng = Random(1)
    archs = [sample(space, rng) for _ in range(5000)]
    first = timed(lambda: price.price_many(archs))
    rates = [len(archs) / timed(lambda: price.price_many(archs)) for _ in range(repeats)]
    return Row(
        what=f"architectures priced per second (parameters and MACs), {of}",
        unit="1/s",
        target=100_000,
        values=rates,
        least=True,
        note=f"5,000 random architectures of {len(price.decisions)} genes a repeat. Filling the tables took {filled:.2f} s "
        f"before that, the first round {first:.2f} s; {price.traces} traces in all.",
    )


def driver(budget: int) -> Iterator[Row]:
    """Ask, tell and log."""
    space = backbone("1.3G")
    objectives = [Objective("score")]
    searchers = {
        "TopKEvolution": TopKEvolution(space, objectives),
        "AgingEvolution": AgingEvolution(space, objectives),
    }
    for name, searcher in searchers.items():
        thousand = budget // 10
        with tempfile.TemporaryDirectory() as folder:
            marks = [perf_counter()]
            with RunFolder.create(Path(folder) / "run", {}, space) as run:
                search(
                    searcher,
                    lambda archs, _: [Scores(values={"score": score(arch)}) for arch in archs],
                    budget=budget,
                    batch=50,
                    log=run.append_trial,
                    observe=lambda trial: marks.append(perf_counter()) if (trial.id + 1) % thousand == 0 else None,  # noqa: B023
                )
        spent = [1000 * (b - a) / thousand for a, b in pairwise(marks)]
        yield Row(
            what=f"ask, tell and log of one trial, {name}",
            unit="ms",
            target=1.0,
            values=spent,
            note=f"{budget:,} trials of 40 genes in batches of 50, written to a run folder; one value for each tenth of them.",
        )
        yield Row(
            what=f"last tenth / second tenth of those trials, {name}",
            unit="",
            target=1.25,
            values=[spent[-1] / spent[1]],
            note="linear time means 1; a quarter is left to chance. The first tenth is apart (the last is "
            f"{spent[-1] / spent[0]:.2f} times as slow): its generations find new children at once, later ones meet "
            "old ones and try up to ten times, as DetNAS does; the tries are bounded, so the time a trial takes stays "
            f"level from then on: {', '.join(f'{ms:.3f}' for ms in spent)} ms by tenth.",
        )


def long_driver(budget: int) -> Iterator[Row]:
    """Aging evolution on a table, for long: time without and with the log, and what a trial takes of the memory."""
    space = {f"d{i}": OneOf(*"abcdef") for i in range(12)}
    tenth = budget // 10
    note = f"{budget:,} trials in a space of 12 decisions with 6 options, population 100, tournaments of 25, batches of 50"

    def evaluator(archs: Sequence[Arch], _: str) -> list[Scores]:
        return [Scores(values={"score": score(arch)}) for arch in archs]

    def run(mark: Callable[[], float], log: Callable[[Trial], None] | None = None) -> list[float]:
        """What `mark` rose by in each tenth of the trials, per trial."""
        marks = [mark()]
        searcher = AgingEvolution(space, [Objective("score")], population=100, tournament=25)
        search(
            searcher,
            evaluator,
            budget=budget,
            batch=50,
            log=log,
            observe=lambda trial: marks.append(mark()) if (trial.id + 1) % tenth == 0 else None,
        )
        return [(b - a) / tenth for a, b in pairwise(marks)]

    bare = [1e6 * seconds for seconds in run(process_time)]
    with tempfile.TemporaryDirectory() as folder, RunFolder.create(Path(folder) / "run", {}, space) as opened_run:
        logged = [1e3 * seconds for seconds in run(perf_counter, opened_run.append_trial)]
    gc.collect()
    tracemalloc.start()
    memory = run(lambda: float(tracemalloc.get_traced_memory()[0]))
    tracemalloc.stop()
    what = "AgingEvolution on a table"
    yield Row(what=f"one trial, {what}", unit="µs", target=100, values=bare, note=f"{note}, processor time, each tenth of them.")
    yield Row(
        what=f"one trial with its log, {what}", unit="ms", target=1.0, values=logged, note="the same, written to a run folder."
    )
    for name, times in (("", bare), (" with the log", logged)):
        yield Row(what=f"last tenth / first tenth of those trials{name}", unit="", target=2.0, values=[times[-1] / times[0]])
    yield Row(
        what=f"memory of one trial, {what}",
        unit="bytes",
        target=2048,
        values=memory,
        note="the same without the log, what Python's allocator holds, each tenth: " + ", ".join(f"{b:,.0f}" for b in memory),
    )
    yield Row(
        what="memory of the second half / of the first half of those trials",
        unit="",
        target=1.25,
        values=[sum(memory[5:]) / sum(memory[:5])],
        note="linear growth means 1; the tables of sets grow in leaps.",
    )


def score(arch: Arch) -> float:
    """A smooth made-up score, so that the evolution has something to climb."""
    return -float(sum((option - 2) ** 2 for option in arch.values()))


def help_text(module: str, repeats: int) -> Iterator[Row]:
    """Wall and processor time of `--help`."""
    wall, cpu = [], []
    for _ in range(repeats + 1):  # the first call may have to compile
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", module, "--help"]
        wall.append(timed(lambda command=command: subprocess.run(command, cwd=ROOT, check=True, capture_output=True)))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    for kind, values in (("wall", wall[1:]), ("processor", cpu[1:])):
        yield Row(what=f"`python -m {module} --help`, {kind} time", unit="s", target=0.5, values=values)


def everything(quick: bool) -> Iterator[Row]:
    """Every row; `quick` is for trying the bench out, its figures mean nothing."""
    torch.set_num_threads(1)
    repeats = 2 if quick else 20
    rng = torch.Generator().manual_seed(0)
    for side in (64, 128):
        images = torch.randn(16, 3, side, side, generator=rng)
        yield paths(f"DetNAS 300M backbone, 16 images of {side} px", backbone("300M"), images, repeats=repeats)
    pixels = torch.randint(0, 256, (16, 3, 64, 64), dtype=torch.uint8, generator=rng)
    yield paths("tiny detector, 16 images of 64 px", spaces()[TINY], pixels, repeats=2 * repeats, channels_last=True)
    yield from (row for row in (bifpn(repeats), nas_fpn(repeats)) if row is not None)
    yield from search_steps(max(2, repeats // 2))
    yield from plain_search_steps(max(2, repeats // 2))
    yield from graph_search_steps(max(2, repeats // 2))
    yield search_memory()
    yield activation(repeats)
    yield pricing(repeats, "DetNAS", large(), 224, conv_linear)
    yield pricing(repeats, "GAN Compression", generators(), 256, output_elements)
    yield from driver(500 if quick else 10_000)
    yield from long_driver(2_000 if quick else 100_000)
    yield from upscaling_rows(max(2, repeats // 4))
    yield from packed_rows(repeats)
    yield from packed_network_rows(max(2, repeats // 4))
    for module in ("detection.train", "common.cli"):
        yield from help_text(module, 2 if quick else 9)


def summary(rows: Sequence[Row]) -> str:
    """One line: how many promises are kept."""
    promised = [row for row in rows if row.target is not None]
    missed = [row.what for row in promised if not row.passed]
    return f"{len(promised) - len(missed)} of {len(promised)} kept" + (f"; missed: {'; '.join(missed)}" if missed else "")

"""What a search of graph networks costs in steps of the networks that it draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, cast

from common.differentiable.search import alternation_of
from common.engines import Gradient
from common.space import record
from common.train.alternate import Alternation
from common.train.fit import fit
from common.train.optim import make_optimizer, make_schedule
from common.train.step import Losses, Participant, Step
from graphs.pdnas.model import build
from graphs.pdnas.recipes import RECIPES
from graphs.pdnas.system import SYSTEM
from graphs.settings import DataSettings
from graphs.task import GraphTask
from tests.bench.rows import Row
from tests.bench.timing import ratios
from tests.common.train.acting import Acts

DRAWS = 12
"""Networks whose ratios count, one each."""
STEPS = 10
"""Steps that are timed together: what `fit` does once a training is not part of a step."""


def graph_search_steps(repeats: int) -> Iterator[Row]:
    """Rows for a step of the weights, and for one of the architecture by either gradient, over a step of the network drawn."""
    s = replace(RECIPES["pdnas"]["small"](), data=DataSettings())
    own, straight = s.search.engine, RECIPES["pdnas"]["paper"]().search.engine
    assert isinstance(own, Gradient) and isinstance(straight, Gradient)
    task = cast("GraphTask", SYSTEM.make(s, Path("weights")))
    where = f"{task.data.name}, {DRAWS} networks drawn, each against itself extracted, in turns (processor time, one thread)"
    kinds: dict[str, tuple[Any, float | None, str]] = {
        "step of the weights": (None, 1.1, "Drawing included."),
        "step of the architecture, by rewards": (own, None, "One forward pass in eval mode, and the score's gradient."),
        "step of the architecture, straight-through": (straight, None, "A forward and a backward pass on validation nodes."),
    }
    for what, (search, target, note) in kinds.items():
        alternation = alternation_of(own if search is None else search, task, 0)
        values = [_ratio(task, alternation, number, repeats, search is not None) for number in range(DRAWS)]
        yield Row(what=f"PDNAS, {what} / step alone", unit="", target=target, values=values, note=f"{note} {where}.")


def _ratio(task: GraphTask, alternation: Alternation, number: int, repeats: int, architecture: bool) -> float:
    relaxation = alternation.relaxation
    supernet, phase = relaxation.supernet, task.phases("relaxed")[0]
    relaxation.mix(number, 0.5, frozen=not architecture or alternation.score is not None)  # the draws that the step makes
    alone = supernet.extract(record(task.space, lambda path, _: supernet.slots[path].active), build).train()
    if architecture:
        searching: Callable[[], object] = lambda: [alternation.before(Step(number=number, progress=0.5)) for _ in range(STEPS)]  # noqa: E731
    else:
        searching = _step(
            alternation.model.network,
            alternation.weights,
            phase,
            Acts(
                lambda _: [lambda: relaxation.mix(number, 0.5, frozen=True)],
                lambda: supernet.idle_protected(alternation.weights),
            ),
        )
    return median(ratios(searching, _step(alone, make_optimizer(alone, phase.settings.optim), phase), repeats, warm_up=1))


def _step(model: Any, optimizer: Any, phase: Any, *participants: Participant) -> Callable[[], object]:
    """`STEPS` steps of `fit`."""
    return lambda: fit(
        Losses(model, phase.loss),
        batch_at=lambda step: phase.batch_at(step, 0),
        optimizer=optimizer,
        schedule=make_schedule(phase.settings.optim),
        steps=STEPS,
        participants=participants,
    )

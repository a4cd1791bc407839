"""PDNAS and the searches that share its space, as a declaration."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from common.errors import UserError
from common.space import decode
from common.system import System
from graphs.pdnas.methods import METHODS
from graphs.pdnas.names import Describing, describe, inputs, published
from graphs.pdnas.settings import Settings
from graphs.pdnas.space import cheapest, hand_made, order, pdnas_space
from graphs.settings import GraphOptions, graphs

if TYPE_CHECKING:
    from torch import Tensor, nn

    from common.task import Kind, Networks, Phase
    from graphs.facts import GraphFacts
    from graphs.task import GraphTask

RING = 8


def networks(settings: Settings, facts: GraphFacts) -> Networks:
    """Networks of the PDNAS space.

    Costs are counted network by network: every weight depends on a width, its neighbours' and the heads, so that tables of prices
    (`common.cost.price`) have an entry for almost every network and are slower. MACs are those of linear layers for all nodes of
    the first test graph, its features taken as dense.
    """
    from common.cost.costs import Counted
    from common.supernet import opened
    from common.task import Networks
    from graphs.pdnas.drawing import draw
    from graphs.pdnas.model import build, check

    space = settings.open_network(facts.features, len(facts.classes))
    check(opened(space))
    made = hand_made(space)
    return Networks(
        space=space,
        build=build,
        baseline=made.pop("GCN"),
        costs=Counted(
            build=lambda arch: build(decode(space, arch)),
            inputs=partial(inputs, facts.counted_nodes or 1, facts.features),
            cheapest=partial(cheapest, space),
        ),
        hand_made=made,
        order=order(space),
        draw=partial(draw, space),
    )


def phases(task: GraphTask, kind: Kind) -> list[Phase]:
    """Training on the training nodes; the architecture of a relaxed supernet learns from the validation nodes."""
    from graphs.phases import Nodes

    s: Settings = task.settings
    train, val = task.graphs["train"], task.graphs["val"]
    weights = Nodes(name="weights", settings=s.weights, graphs=train)
    match kind:
        case "supernet":
            return [weights]
        case "relaxed":
            return [weights, Nodes(name="architecture", settings=s.weights, graphs=val)]
        case "standalone":
            return [Nodes(name="train", settings=s.train, graphs=train)]


def check(task: GraphTask) -> None:
    """Refuses early stopping by a score that the task does not measure.

    Raises:
        UserError: names the setting.
    """
    stop = task.settings.train.stop
    if stop is not None and stop.metric not in task.scores:
        known = ", ".join(task.scores)
        raise UserError(f"train.stop.metric={stop.metric}: the task measures {known}; name one of them")


def build(description: Any) -> nn.Module:
    """See `graphs.pdnas.model.build`."""
    from graphs.pdnas.model import build

    return build(description)


def example(space: str) -> tuple[Tensor, ...]:
    """A graph small enough for tests: a ring with one chord; the last node is alone."""
    import torch

    nodes = torch.arange(RING - 1)
    one_way = torch.cat([torch.stack([nodes, (nodes + 1) % (RING - 1)]), torch.tensor([[0], [3]])], 1)
    return torch.zeros(RING, 6), torch.cat([one_way, one_way.flip(0)], 1)


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    return [
        "Costs: params are all trainable parameters; macs are the multiply-adds of linear layers for all nodes of the graph, its "
        "features taken as dense.",
        "The search, tuning and early stopping read the validation nodes, for every network alike; test nodes are read once, "
        "after all of it. Baseline is GCN; the other hand-made networks are of one operator each.",
    ]


SPACES = {
    "tiny": partial(pdnas_space, 6, 3, 2, widths=(4, 8), heads=(1, 2)),
    "tiny deep": partial(pdnas_space, 6, 3, 4, widths=(4, 8), heads=(2,)),
    "tiny extended": partial(pdnas_space, 6, 3, 2, extended=True, widths=(4, 8), heads=(1, 4)),
}
"""Spaces of the same form as those of the recipes, small enough for tests."""

SYSTEM = System(
    name="pdnas",
    task=graphs,
    settings=Settings,
    methods=METHODS,
    networks=networks,
    phases=phases,
    notes=notes,
    build=build,
    spaces=SPACES,
    example=example,
    published=published,
    describe=describe,
    check=check,
    options=GraphOptions,
    describing=Describing,
)
"""PDNAS, and GraphNAS, evolution, halving and random search in its space."""

"""What PDNAS searches, builds, counts and trains on the data of a run; what the laws are tried on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from common.cost.conventions import conv_linear
from common.cost.costs import Counted
from common.errors import UserError
from common.space import decode
from common.supernet import opened
from common.task import Networks
from graphs.pdnas.drawing import draw
from graphs.pdnas.model import build
from graphs.pdnas.model import check as check_description
from graphs.pdnas.settings import Settings
from graphs.pdnas.space import Network, cheapest, hand_made, order, pdnas_space
from graphs.phases import Nodes

if TYPE_CHECKING:
    from common.task import Kind, Phase
    from graphs.facts import GraphFacts
    from graphs.task import GraphTask

RING = 8


def networks(settings: Settings, facts: GraphFacts) -> Networks:
    """Networks of the PDNAS space.

    Costs are counted network by network: every weight depends on a width, its neighbours' and the heads, so that tables of prices
    (`common.cost.price`) have an entry for almost every network and are slower. MACs are those of linear layers for all nodes of
    the first test graph, its features taken as dense.
    """
    space = settings.open_network(facts.features, len(facts.classes))
    check_description(opened(space))
    made = hand_made(space)
    return Networks(
        space=space,
        build=build,
        baseline=made.pop("GCN"),
        costs=Counted(
            build=lambda arch: build(decode(space, arch)),
            inputs=partial(inputs, facts.counted_nodes or 1, facts.features),
            cheapest=partial(cheapest, space),
            convention=conv_linear,
        ),
        hand_made=made,
        order=order(space),
        draw=partial(draw, space),
    )


def inputs(nodes: int, features: int) -> tuple[Tensor, Tensor]:
    """Nodes without memory and without edges, which linear layers do not read."""
    return torch.empty(nodes, features, device="meta"), torch.empty(2, 0, dtype=torch.int64, device="meta")


def phases(task: GraphTask, kind: Kind) -> list[Phase]:
    """Training on the training nodes; the architecture of a relaxed supernet learns from the validation nodes."""
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


def spaces() -> dict[str, Network]:
    """Spaces of the same form as those of the recipes, small enough for tests."""
    return {
        "tiny": pdnas_space(6, 3, 2, widths=(4, 8), heads=(1, 2)),
        "tiny deep": pdnas_space(6, 3, 4, widths=(4, 8), heads=(2,)),
        "tiny extended": pdnas_space(6, 3, 2, extended=True, widths=(4, 8), heads=(1, 4)),
    }


def example(space: str) -> tuple[Tensor, ...]:
    """A graph small enough for tests: a ring with one chord; the last node is alone."""
    nodes = torch.arange(RING - 1)
    one_way = torch.cat([torch.stack([nodes, (nodes + 1) % (RING - 1)]), torch.tensor([[0], [3]])], 1)
    return torch.zeros(RING, 6), torch.cat([one_way, one_way.flip(0)], 1)

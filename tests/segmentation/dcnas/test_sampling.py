"""Path and channel sampling of the relaxed network."""

import math

import pytest
import torch
from torch import nn

from common.cost.memory import peak_memory
from common.layers import Partial
from common.relax.relaxation import Relaxation
from common.relax.weightings import Softmax
from common.space import ManyOf, decisions
from common.supernet import Supernet, opened
from segmentation.dcnas.model import build
from segmentation.dcnas.space import SKIP, STEM, Cell, Network, dcnas_space, live_cells, neighbour_space

OPERATORS = ("ir_k3_e3", "ir_k5_e3", "ir_k3_e6", SKIP)


def relaxed(keep: float, partial: int, width: int = 8, layers: int = 4, drawn="uniform", make=dcnas_space) -> Relaxation:
    space = make(layers=layers, strides=(2, 4, 8), width=width, operators=OPERATORS, partial=partial)
    net = Supernet(build(opened(space)), space)
    return Relaxation(supernet=net, options=Softmax(), members=Softmax(keep=keep, drawn=drawn), seed=1, std=1.0)


def images(size: int = 16) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(2))


def step(relaxation: Relaxation, x: torch.Tensor, number: int = 0) -> tuple[torch.Tensor, ...]:
    relaxation.mix(number, 0.0)
    maps = relaxation.supernet.module(x)
    sum(m.square().mean() for m in maps).backward()
    return maps


def test_at_full_rates_the_sampled_forward_equals_the_unsampled_one():
    # A rate just below 1 draws, and keeps all: the whole way of the sampled forward, unlike a rate of 1. So with channels.
    whole, sampled = relaxed(1.0, 1), relaxed(0.999, 1)
    for cell in sampled.supernet.module.cells.values():
        cell.op = Partial(cell.op, 1, 1)
    x = images()
    for a, b in zip(step(whole, x), step(sampled, x), strict=True):
        assert torch.equal(a, b)
    slots = sampled.supernet.slots
    assert all(slots[path].mixed.live == tuple(range(len(d.options))) for path, d in many(sampled).items())
    for path, logits in whole.logits.values.items():
        assert torch.equal(logits.grad, sampled.logits.values[path].grad)


def many(relaxation: Relaxation) -> dict[str, ManyOf]:
    return {p: d for p, d in decisions(relaxation.supernet.space).items() if isinstance(d, ManyOf)}


@pytest.mark.parametrize("make", [dcnas_space, neighbour_space])
@pytest.mark.parametrize("drawn", ["uniform", "proportional"])
@pytest.mark.parametrize("keep", [0.1, 0.25, 0.5])
def test_sampled_paths_are_within_the_bound_and_lead_to_every_scale(make, drawn, keep):
    relaxation = relaxed(keep, 1, width=2, drawn=drawn, make=make)
    space, seen = relaxation.supernet.space, set()
    for number in range(40):
        relaxation.mix(number, 0.0)
        cells: dict[str, Cell] = {}
        for name, cell in space.cells.items():
            mixed = relaxation.supernet.slots[f"cells.{name}.inputs"].mixed
            n = len(cell.inputs.options)
            live = mixed.live or range(n)
            assert 1 <= len(live) <= math.ceil(keep * n)
            assert float(mixed.weights[list(live)].detach().sum()) == pytest.approx(1)
            seen.update((name, i) for i in live)
            cells[name] = Cell(stride=cell.stride, layer=cell.layer, inputs=tuple(cell.inputs.options[i] for i in live), op=SKIP)
        drawn_net = Network(cells=cells, width=2, stem_stride=2)
        outputs = {cell.name for cell in drawn_net.outputs}
        assert len(outputs) == 3 and outputs <= set(live_cells(drawn_net))
    if drawn == "uniform":
        assert seen == {(name, i) for name, cell in space.cells.items() for i in range(len(cell.inputs.options))}


def test_what_is_not_sampled_gets_no_gradient():
    relaxation = relaxed(0.5, 1)
    step(relaxation, images())
    fusion = relaxation.supernet.module.cells["s8_l4"].fusion
    live = relaxation.supernet.slots["cells.s8_l4.inputs"].mixed.live
    assert 0 < len(live) < len(fusion.members)
    for i, member in enumerate(fusion.members):
        assert all((p.grad is not None) == (i in live) for p in member.parameters())
    grad = relaxation.logits.values["cells.s8_l4.inputs"].grad
    assert [bool(g) for g in grad] == [i in live for i in range(len(grad))]


def test_sampling_halves_the_peak_memory_of_a_step():
    whole, sampled = relaxed(1.0, 1, width=16), relaxed(0.5, 4, width=16)
    x, peaks = images(32), []
    for relaxation in (whole, sampled):
        step(relaxation, x)
        relaxation.supernet.module.zero_grad(set_to_none=False)  # their gradients are no memory of a step
        measured = []
        for number in range(1, 4):
            measured.append(peak_memory(lambda number=number, r=relaxation: step(r, x, number)))
        peaks.append(max(measured))
    assert peaks[1] <= 0.5 * peaks[0]


def test_the_supernet_mixes_every_decision():
    relaxation = relaxed(0.5, 2)
    space = relaxation.supernet.space
    assert relaxation.supernet.relaxable == tuple(decisions(space))
    assert {len(v) for p, v in relaxation.logits.values.items() if p.endswith(".op")} == {len(OPERATORS)}
    assert space.cells["s2_l1"].inputs.options == (STEM,)
    norms = [part for part in relaxation.supernet.module.modules() if isinstance(part, nn.BatchNorm2d)]
    step(relaxation, images())
    assert any(norm.num_batches_tracked for norm in norms)

"""The three controllers: their size, their probabilities, and what they learn from."""

from collections import Counter
from math import exp, log

import numpy as np
import pytest
import torch

from common.space import decode, enumerate_all, sample
from common.streams import stream
from superres.hnas.controllers import POSITION, Controllers, HierarchicalPolicy
from superres.hnas.space import open_network


@pytest.fixture
def small() -> HierarchicalPolicy:
    """Of 4 * 36 * 4 * 25 * 2 architectures."""
    return HierarchicalPolicy(open_network(width=2, cells=2, nodes=1), 3)


def test_they_have_as_many_parameters_as_published():
    """347,111; the released code has a head of 1,212 more that nothing reads, 348,323 in all."""
    controllers = Controllers(open_network(), 0)
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in controllers.named_children()}
    assert sizes == {"normal": 102_606, "upsampling": 102_405, "position": 143_312 - 1_212}
    assert sum(sizes.values()) == 347_111 == 348_323 - 1_212


def test_weights_begin_as_published_and_follow_from_the_seed():
    one, same, other = (Controllers(open_network(), seed) for seed in (0, 0, 1))
    for name, parameter in one.named_parameters():
        if name == "normal.operations.bias":
            assert not parameter.any()
            continue
        assert 0.03 < parameter.abs().max() <= 0.1 and (len(parameter) < 50 or abs(parameter.mean()) < 0.02)
        assert torch.equal(parameter, dict(same.named_parameters())[name])
        assert not torch.equal(parameter, dict(other.named_parameters())[name])


def test_a_sample_is_an_architecture_of_the_space_and_has_the_probability_that_is_said():
    space = open_network()
    policy = HierarchicalPolicy(space, 0)
    drawn = [policy.sample(stream(0, "draws", number)) for number in range(5)]
    for draw in drawn:
        assert decode(space, draw.arch).position == draw.arch["position"]
    assert np.allclose(policy.log_prob([draw.arch for draw in drawn]), [draw.log_prob for draw in drawn], atol=1e-4)
    uniform = 2 * sum(2 * log(number) for number in range(2, 6)) + 8 * log(6) + 8 * log(5) + log(12)
    assert drawn[0].entropy == pytest.approx(uniform, abs=0.1), "weights are small: nearly uniform"


def test_probabilities_of_all_architectures_sum_to_one(small):
    space = small.space
    with torch.no_grad():
        for parameter in small.parameters:
            parameter.mul_(5)
    archs = list(enumerate_all(space))
    assert len(archs) == 4 * 36 * 4 * 25 * 2
    some = [archs[i] for i in range(0, len(archs), 17)]
    assert np.allclose(np.exp(small.log_prob(some)).sum() * 17, 1, atol=0.1)


def test_samples_come_as_often_as_their_probability_says(small):
    with torch.no_grad():
        for parameter in small.parameters:
            parameter.mul_(12)
    rng = stream(0, "often")
    draws = [small.sample(rng).arch for _ in range(1500)]
    seen = Counter(arch["position"] for arch in draws)
    chance = np.mean([exp(draw) for draw in _position_logs(small, draws)])
    assert seen[0] / 1500 == pytest.approx(chance, abs=0.05)


def _position_logs(policy, archs):
    """Of position 0 after the cells of each architecture."""
    at_0, at_1 = ([arch.switched("position", place) for arch in archs[:200]] for place in (0, 1))
    logs = np.stack([policy.log_prob(at_0), policy.log_prob(at_1)])
    return logs[0] - np.logaddexp(*logs)


def test_the_position_is_conditioned_on_both_cells():
    """On all their decisions but the last ones: an output of an LSTM is of the decisions before it."""
    policy = HierarchicalPolicy(open_network(width=2, cells=4), 0)
    with torch.no_grad():
        for parameter in policy.parameters:
            parameter.mul_(10)
    base = sample(policy.space, stream(0, "base"))
    for path in ("normal.nodes.3.operations.0", "upsampling.nodes.3.operations.0", "normal.nodes.0.sources.0"):
        other = base.switched(path, (base[path] + 1) % 2)
        gaps = [policy.log_prob([arch.switched("position", at) for at in (3, 0)]) for arch in (base, other)]
        assert abs(np.diff(gaps[0])[0] - np.diff(gaps[1])[0]) > 1e-6, path


def test_the_gradient_is_of_the_log_probability_with_the_position_tenfold(small):
    """Against differences: of log P, to which the position's part is added nine times more, and of the entropies."""
    arch = sample(small.space, stream(0, "gradient"))

    @torch.no_grad()
    def value() -> float:
        walk = small.controllers.walk(lambda path, _: arch[path])
        logs, entropies = (parts[0] + parts[1] + POSITION * parts[2] for parts in walk)
        return float(1.5 * logs + 0.25 * entropies)

    for parameter in small.parameters:
        parameter.data = parameter.data.double()
    gradients = small.gradient([arch], np.array([1.5]), 0.25)
    assert POSITION == 10
    for parameter, gradient in zip(small.parameters, gradients, strict=True):
        at = int(gradient.abs().argmax())
        flat, step = parameter.data.view(-1), 1e-5
        flat[at] += step
        above = value()
        flat[at] -= 2 * step
        below = value()
        flat[at] += step
        assert (above - below) / (2 * step) == pytest.approx(float(gradient.view(-1)[at]), rel=1e-3, abs=1e-7)


def test_several_architectures_share_a_gradient(small):
    archs = [sample(small.space, stream(0, "several", number)) for number in range(2)]
    both = small.gradient(archs, np.array([1.0, -2.0]), 0.5)
    each = [small.gradient([arch], np.array([weight]), 0.25) for arch, weight in zip(archs, (1.0, -2.0), strict=True)]
    assert all(torch.allclose(b, one + two, atol=1e-5) for b, one, two in zip(both, *each, strict=True))


def test_decisions_come_in_the_order_of_the_paper():
    """Of each node both sources, then both operations; the normal cell, the upsampling cell, the position."""
    order: list[str] = []
    Controllers(open_network(), 0).walk(lambda path, logs: order.append(path) or len(logs) - 1)
    parts = [f"{part}.{j}" for part in ("sources", "operations") for j in range(2)]
    cells = [f"{kind}.nodes.{i}.{part}" for kind in ("normal", "upsampling") for i in range(4) for part in parts]
    assert order == [*cells, "position"]


def test_what_was_decided_is_read_before_the_next_decision(small):
    """Embeddings of operations get a gradient where the operation was taken, unless it was the last decision of a cell."""
    arch = (
        sample(small.space, stream(0, "reading"))
        .switched("normal.nodes.0.operations.0", 4)
        .switched("normal.nodes.0.operations.1", 2)
    )
    names = [name for name, _ in small.controllers.named_parameters()]
    gradient = small.gradient([arch], np.array([1.0]))[names.index("normal.embeddings.weight")]
    first = 2  # of one node: the sources 0 and 1, then the operations
    read = [bool(row.any()) for row in gradient[first:]]
    assert read == [number == 4 for number in range(6)]

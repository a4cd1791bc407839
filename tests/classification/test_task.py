"""Classification as a task: which images learn what, what a network costs, what is measured."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from classification import task as module
from classification.darts.cells import Edge
from classification.darts.model import build
from classification.darts.networks import by_hand, evaluated
from classification.darts.settings import NetworkSettings, PhaseSettings
from classification.darts.space import darts_space
from classification.task import ClassificationTask
from common.cost.bounds import cheapest
from common.cost.count import count
from common.space import decisions, decode, sample
from common.streams import stream
from common.train.optim import OptimSettings
from common.train.phase import train_phase
from tests.classification.micro import tiny


@pytest.fixture(scope="module")
def task() -> ClassificationTask:
    return ClassificationTask(tiny())


def test_weights_and_architecture_learn_from_different_halves(task):
    weights, architecture = task.phases("supernet")
    one, other = ({*phase.split.rows.tolist()} for phase in (weights, architecture))
    assert not one & other and one | other == {*task.data.train.rows.tolist()}
    images, labels, dropped = weights.batch_at(0, 0)
    assert images.shape == (8, 3, 8, 8) and labels.shape == (8,) and dropped == 0
    assert not torch.equal(images, architecture.batch_at(0, 0)[0])
    assert weights.batch_at(3, 0)[0].equal(weights.batch_at(3, 0)[0])


def test_snas_learns_both_from_all_training_images():
    for phase in ClassificationTask(tiny("snas")).phases("supernet"):
        assert len(phase.split) == len(phase.split.source)


def test_the_costs_are_those_of_the_network_alone_and_equal_the_price(task):
    limited = ClassificationTask(tiny(budget={"macs": 1e12}))
    rng = stream(0, "costs")
    for arch in (task.baseline, *(sample(task.space, rng) for _ in range(5))):
        network = count(task.network(arch, 0), (torch.zeros(1, 3, 8, 8),))
        assert task.costs(arch) == {"params": network.params, "macs": network.macs} == limited.costs(arch)
    price, metric = task.price("macs")
    assert price.value(task.baseline, metric) == task.costs(task.baseline)["macs"]


def test_the_cheapest_cells_can_be_had_without_none(task):
    """So the price of the whole space tells which budgets what is derived can keep."""
    without = darts_space(nodes=1, none=False, classes=10)
    price, metric = task.price("macs")
    least = evaluated(task.settings.network, decode(without, dict.fromkeys(decisions(without), 0)))
    found = count(build(least), (torch.zeros(1, 3, 8, 8),))
    assert cheapest(price, metric).exact and cheapest(price, metric).value == found.macs


def test_the_second_classifier_is_no_cost():
    s = tiny()
    with_it = tiny(data=replace(s.data, size=32), network=replace(s.network, auxiliary=0.4))
    without = tiny(data=replace(s.data, size=32))
    costs = [one.costs(one.baseline) for one in (ClassificationTask(with_it), ClassificationTask(without))]
    assert costs[0] == costs[1]


def test_the_network_alone_is_another_than_the_searched_one(task):
    net = evaluated(task.settings.network, decode(task.space, task.baseline))
    assert (net.width, net.cells, net.affine, net.pool_norm, net.partial) == (4, 3, True, False, 1)
    assert decode(task.space, task.baseline).affine is False
    assert net.normal.nodes == by_hand(1).normal.nodes
    one, other = (task.network(task.baseline, seed).state_dict() for seed in (1, 1))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_paths_are_dropped_ever_more_and_the_second_classifier_learns():
    s = tiny(
        data=replace(tiny().data, size=32),
        network=NetworkSettings(width=4, cells=3, drop_path=0.4, auxiliary=0.5, cutout=4),
        train=PhaseSettings(steps=4, batch=8, optim=OptimSettings(lr=0.01)),
    )
    task = ClassificationTask(s)
    (phase,) = task.phases("standalone")
    assert [phase.batch_at(step, 0)[2] for step in range(4)] == pytest.approx([0, 0.1, 0.2, 0.3])
    network = task.network(task.baseline, 0)
    seen = []
    train_phase(network, phase, seed=0, observe=lambda step, values: seen.append(values))
    assert all(values["loss"] == pytest.approx(values["class_loss"] + values["auxiliary_loss"]) for values in seen)
    assert seen[0]["auxiliary_loss"] == pytest.approx(0.5 * 2.3, rel=0.3)
    rates = {edge.drop_path for edge in network.modules() if isinstance(edge, Edge)}
    assert len(rates) == 1 and rates.pop() == pytest.approx(0.3)


class Says(nn.Module):
    """Always the same class, with certainty."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.tensor([0.0, 50.0, *[0.0] * 8]))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.scores.expand(len(images), -1)


def test_metrics_are_of_every_image(task, monkeypatch):
    monkeypatch.setattr(module, "EVAL_BATCH", 7)
    share = float((task.data.val.labels == 1).float().mean())
    metrics = task.metrics(Says(), "val")
    assert metrics == {"accuracy": pytest.approx(share), "loss": pytest.approx(50 * (1 - share))}
    assert task.metrics(Says(), "test", 10) == {"accuracy": pytest.approx(0.1), "loss": pytest.approx(45)}


def test_pictures_say_what_is_there(task, tmp_path):
    rows = task.pictures(Says(), tmp_path / "samples", 10)
    assert sum(row["caption"] == "one (1.00), true" for row in rows) == 1
    assert sum("one (1.00), but it is " in row["caption"] for row in rows) == 9
    assert all((tmp_path / "samples" / row["file"]).read_bytes().startswith(b"\x89PNG") for row in rows)
    assert task.pictures(Says(), tmp_path / "none", 0) == []

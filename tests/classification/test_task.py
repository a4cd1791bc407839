"""Classification as a task: which images learn what, what a network costs, what is measured."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from classification import task as module
from classification.cells.cell import Edge
from classification.cells.space import WITHOUT_NONE, darts_space
from classification.darts.model import build
from classification.darts.networks import by_hand, evaluated
from classification.darts.settings import NetworkSettings
from classification.darts.spaces import SpaceSettings
from classification.task import ClassificationTask
from common.cost.bounds import cheapest
from common.cost.count import count
from common.errors import UserError
from common.overrides import override
from common.space import decisions, decode, sample
from common.stages.settings import PhaseSettings
from common.streams import stream
from common.supernet import recalibrate
from common.supernet.recalibrate import batch_norms
from common.train.optim import OptimSettings
from common.train.phase import train_phase
from tests.classification.micro import made, tiny


@pytest.fixture(scope="module")
def task() -> ClassificationTask:
    return made(tiny())


def test_weights_and_architecture_learn_from_different_halves(task):
    weights, architecture = task.phases("relaxed")
    one, other = ({*phase.split.rows.tolist()} for phase in (weights, architecture))
    assert not one & other and one | other == {*task.data.train.rows.tolist()}
    images, labels = weights.batch_at(0, 0)
    assert images.shape == (8, 3, 8, 8) and labels.shape == (8,)
    assert not torch.equal(images, architecture.batch_at(0, 0)[0])
    assert weights.batch_at(3, 0)[0].equal(weights.batch_at(3, 0)[0])


def test_a_supernet_whose_weights_are_inherited_learns_from_all_training_images(task):
    (weights,) = task.phases("supernet")
    assert weights.name == "weights" and weights.settings == task.settings.weights
    assert weights.split.rows.tolist() == task.data.train.rows.tolist()


def test_snas_learns_both_from_all_training_images():
    for phase in made(tiny("snas")).phases("relaxed"):
        assert len(phase.split) == len(phase.split.source)


def test_the_costs_are_those_of_the_network_alone_and_equal_the_price(task):
    limited = made(tiny(budget={"macs": 1e12}))
    rng = stream(0, "costs")
    for arch in (task.baseline, *(sample(task.space, rng) for _ in range(5))):
        network = count(task.network(arch, 0), (torch.zeros(1, 3, 8, 8),))
        assert task.costs(arch) == {"params": network.params, "macs": network.macs} == limited.costs(arch)
    price, metric = task.networks.price("macs")
    assert price.value(task.baseline, metric) == task.costs(task.baseline)["macs"]


def test_the_cheapest_cells_can_be_had_without_none(task):
    """So the price of the whole space tells which budgets what is derived can keep."""
    without = darts_space(nodes=1, operations=WITHOUT_NONE, classes=10)
    price, metric = task.networks.price("macs")
    least = evaluated(task.settings.network, decode(without, dict.fromkeys(decisions(without), 0)))
    found = count(build(least), (torch.zeros(1, 3, 8, 8),))
    assert cheapest(price, metric).exact and cheapest(price, metric).value == found.macs


def test_the_second_classifier_is_no_cost():
    s = tiny()
    with_it = tiny(data=replace(s.data, size=32), network=replace(s.network, auxiliary=0.4))
    without = tiny(data=replace(s.data, size=32))
    costs = [one.costs(one.baseline) for one in (made(with_it), made(without))]
    assert costs[0] == costs[1]


def test_the_network_alone_is_another_than_the_searched_one(task):
    net = evaluated(task.settings.network, decode(task.space, task.baseline))
    assert (net.width, net.cells, net.affine, net.pool_norm, net.partial) == (4, 3, True, False, 1)
    assert decode(task.space, task.baseline).affine is False
    assert net.normal.nodes == by_hand(SpaceSettings(nodes=1)).normal.nodes
    one, other = (task.network(task.baseline, seed).state_dict() for seed in (1, 1))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_paths_are_dropped_ever_more_and_the_second_classifier_learns():
    s = tiny(
        data=replace(tiny().data, size=32),
        network=NetworkSettings(width=4, cells=3, drop_path=0.4, auxiliary=0.5, cutout=4),
        train=PhaseSettings(steps=4, batch=8, optim=OptimSettings(lr=0.01)),
    )
    task = made(s)
    (phase,) = task.phases("standalone")
    network = task.network(task.baseline, 0)
    seen, rates = [], []

    def observe(step, values):
        seen.append(values)
        rates.append(next(edge.drop_path for edge in network.modules() if isinstance(edge, Edge)))

    train_phase(network, phase, seed=0, observe=observe)
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3])
    assert all(values["loss"] == pytest.approx(values["class_loss"] + values["auxiliary_loss"]) for values in seen)
    assert seen[0]["auxiliary_loss"] == pytest.approx(0.5 * 2.3, rel=0.3)
    assert {edge.drop_path for edge in network.modules() if isinstance(edge, Edge)} == {rates[-1]}


def test_calibration_estimates_statistics_again_from_training_images(task):
    network, calibration = task.network(task.baseline, 0), task.calibration
    batches = calibration.batches(3, 20)
    assert [batch.shape for batch in batches] == [(20, 3, 8, 8)] * 3
    first = next(iter(batch_norms(network)))
    seen = []
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    for _ in range(2):  # the same batches give the same statistics
        seen.clear()
        recalibrate(network, calibration.batches(3, 20), calibration.forward)
        torch.testing.assert_close(first.running_mean, torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0))
    assert all(float(norm.running_mean.abs().max()) > 0 for norm in batch_norms(network))


def test_every_batch_of_a_calibration_has_images_of_all_classes(task):
    """Folders list one class after the other."""
    train = task.data.train
    by_class = train.part(train.labels.argsort(stable=True), "train")
    other = made(tiny())
    other.data = replace(task.data, train=by_class)
    images = [image.numpy().tobytes() for image in train.scale(train.images(torch.arange(len(train))))]
    class_of = dict(zip(images, train.labels.tolist()))
    batches = [[image.numpy().tobytes() for image in batch] for batch in other.calibration.batches(3, 20)]
    assert [len({class_of[image] for image in batch}) for batch in batches] == [10] * 3
    assert len({image for batch in batches for image in batch}) == 60


def test_a_variant_shares_the_data_unless_their_settings_differ(task):
    same = task.variant(["train.steps=3", "network.width=8", "data.size=8"])
    assert same.data is task.data and same.settings.train.steps == 3
    assert same.costs(task.baseline)["params"] > task.costs(task.baseline)["params"]
    other = task.variant(["data.size=12"])
    assert other.data is not task.data and other.data.image_size == 12 and task.data.image_size == 8
    with pytest.raises(UserError, match="classification data cannot be cut anew"):
        task.variant(cut=1)


def test_halves_are_asked_for_by_searches_on_two_levels_alone():
    s = override(tiny(), ["weights.batch=700"])  # of 1,078 training images
    with pytest.raises(UserError, match=r"weights\.batch=700: train/weights has 539 images"):
        made(s)
    (weights,) = made(override(s, ["search.engine=aging"])).phases("supernet")
    assert len(weights.batch_at(0, 0)[1]) == 700


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

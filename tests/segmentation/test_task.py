"""Segmentation as a task: halves, costs, metrics over whole pictures, and what is refused before anything is trained."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch

from common.cost.count import count
from common.errors import UserError
from common.space import sample
from common.streams import stream
from common.supernet import recalibrate
from common.supernet.recalibrate import batch_norms
from segmentation import mm
from segmentation import task as module
from segmentation.dcnas.derive import network_of, random_alike
from segmentation.dcnas.recipes import smoke
from segmentation.dcnas.settings import Settings
from segmentation.dcnas.sizes import SpaceSettings
from segmentation.task import SegmentationTask, load_data
from tests.segmentation.micro import made

pytest.importorskip("mmseg")


def settings(size: str = "smoke", **data) -> Settings:
    s = smoke()
    scenes = {"train": 9, "val": 4, "test": 4, "crop": (32, 32), **data}
    return replace(s, data=replace(s.data, **scenes), space=SpaceSettings(size=size, width=4, partial=2))


@pytest.fixture(scope="module")
def task() -> SegmentationTask:
    return made(settings())


def test_weights_and_architecture_learn_from_different_pictures(task):
    weights, architecture = task.phases("relaxed")
    assert (weights.name, architecture.name) == ("weights", "architecture")
    halves = [set(phase.split.files) for phase in (weights, architecture)]
    assert not halves[0] & halves[1] and halves[0] | halves[1] == set(task.data.train.files)
    (alone,) = task.phases("standalone")
    assert set(alone.split.files) == set(task.data.train.files)
    images, labels = alone.batch_at(3, seed=1)
    assert images.shape == (6, 3, 32, 32) and labels.shape == (6, 32, 32)
    again = alone.batch_at(3, seed=1)
    assert torch.equal(images, again[0]) and torch.equal(labels, again[1])
    assert not torch.equal(images, alone.batch_at(4, seed=1)[0])
    assert not alone.augmentation.flip  # a mirrored digit is another one


def test_a_supernet_whose_weights_are_inherited_learns_from_all_training_pictures(task):
    (weights,) = task.phases("supernet")
    assert weights.name == "weights" and weights.settings == task.settings.weights
    assert set(weights.split.files) == set(task.data.train.files)


def test_calibration_estimates_statistics_again_from_training_pictures(task):
    network, calibration = task.network(task.baseline, 0), task.calibration
    batches = calibration.batches(2, 3)
    assert torch.equal(torch.cat(batches), torch.stack([task.data.train[i].image for i in range(6)]))
    first = next(iter(batch_norms(network)))
    seen = []
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    for _ in range(2):  # the same batches give the same statistics
        seen.clear()
        recalibrate(network, calibration.batches(2, 3), calibration.forward)
        torch.testing.assert_close(first.running_mean, torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0))
    assert all(float(norm.running_mean.abs().max()) > 0 for norm in batch_norms(network))


def test_a_variant_shares_the_data_unless_their_settings_differ(task):
    same = task.variant(["train.steps=3", "space.width=8", "data.train=9"])
    assert same.data is task.data and same.settings.train.steps == 3
    assert same.costs(task.baseline)["params"] > task.costs(task.baseline)["params"]
    other = task.variant(["data.train=5"])
    assert len(other.data.train) == 5 and len(task.data.train) == 9
    with pytest.raises(UserError, match="segmentation data cannot be cut anew"):
        task.variant(cut=1)


@pytest.mark.parametrize("size", ["smoke", "small", "small-neighbour"])
def test_costs_are_those_of_the_network_that_is_trained(size):
    task = made(settings(size))
    rng = stream(0, "costs", size)
    archs = [task.baseline, *(sample(task.space, rng) for _ in range(3)), random_alike(task.space, task.baseline, rng)]
    for arch in archs:
        with torch.device("meta"):
            pixels = torch.empty(1, 3, *task.data.size, dtype=torch.uint8)
        found = count(task.network(arch, 0), (pixels,))
        assert task.costs(arch) == {"params": found.params, "macs": found.macs}
        least = {name: task.networks.costs.least(name).value for name in ("params", "macs")}
        assert all(0 < least[name] <= cost for name, cost in task.costs(arch).items())
    assert len({task.costs(arch)["macs"] for arch in archs}) > 3


def test_networks_are_functions_of_the_seed_and_have_all_channels(task):
    one, two, other = (task.network(task.baseline, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    weights = [name for name in one if one[name].ndim == 4]
    assert all(not torch.equal(one[name], other[name]) for name in weights)
    assert network_of(task.space, task.baseline).partial == 1 and task.space.partial == 2


def test_metrics_are_mean_ious_over_whole_pictures(task, monkeypatch):
    def predict(network, images):  # class 0 everywhere
        return torch.zeros(len(images), *images.shape[-2:], dtype=torch.int64)

    monkeypatch.setattr(mm, "predict", predict)
    monkeypatch.setattr(module, "EVAL_PIXELS", 2 * 64 * 64)
    network = task.network(task.baseline, 0)
    pixels = task.data.test.pixels.sum(0)
    share = pixels[0] / pixels.sum()
    there = (pixels > 0).sum()
    found = task.metrics(network, "test")
    assert found == pytest.approx({"mIoU": share / there, "mAcc": 1 / there, "aAcc": share})
    first = task.data.test.pixels[0]
    assert task.metrics(network, "test", 1)["aAcc"] == pytest.approx(first[0] / first.sum())


def test_a_network_that_is_trained_beats_its_own_beginning(task):
    from common.train.phase import train_phase

    network = task.network(task.baseline, 0)
    (phase,) = task.phases("standalone")
    brisk = replace(phase, settings=replace(phase.settings, steps=12))
    losses: list[float] = []
    train_phase(network, brisk, seed=0, observe=lambda step, values: losses.append(values["loss"]))
    assert losses[-1] < 0.7 * losses[0]


def test_random_architectures_have_the_form_of_the_one_that_was_found(task):
    space, rng = task.space, Random(0)
    drawn = [random_alike(space, task.baseline, rng, forbidden=("ir_k5_e3",)) for _ in range(200)]
    assert len(set(drawn)) == 200
    seen: dict[str, set] = {}
    for arch in drawn:
        for name, cell in space.cells.items():
            taken = cell.inputs.subset(arch[f"cells.{name}.inputs"])
            assert len(taken) == len(cell.inputs.subset(task.baseline[f"cells.{name}.inputs"]))
            seen.setdefault(name, set()).update(taken)
            assert cell.op.options[arch[f"cells.{name}.op"]] != "ir_k5_e3"
    assert all(seen[name] == set(range(len(cell.inputs.options))) for name, cell in space.cells.items())


def test_scenes_are_as_large_as_the_crop():
    assert load_data(settings(crop=(40, 90)).data).size == (96, 96)
    assert load_data(settings(size="smoke").data).size == (64, 64)
    with pytest.raises(UserError, match=r"scenes of 512 pixels: 288 are the most; give --data FOLDER, or --set data\.crop"):
        load_data(settings(crop=(512, 512)).data)


def test_crops_that_no_picture_has_are_refused():
    s = settings(crop=(128, 64))
    with pytest.raises(UserError, match=r"data\.crop=\[128, 64\]: crop 128x64 .* at most 64x64"):
        made(replace(s, data=replace(s.data, size=64)))
    with pytest.raises(UserError, match="two halves need at least 2"):
        made(settings(train=1))


def test_pictures_show_truth_and_prediction(task, tmp_path):
    from PIL import Image

    network = task.network(task.baseline, 0).eval()
    rows = task.pictures(network, tmp_path, 2)
    assert [row["file"] for row in rows] == ["0.png", "1.png"]
    with Image.open(tmp_path / "0.png") as picture:
        assert picture.width == 3 * 192 + 2 * 6 and picture.height > 192
        shown = np.asarray(picture)
    truth = shown[:192, 192 + 6 : 2 * 192 + 6]
    expected = {task.data.palette[label] for label in np.unique(task.data.test[0].labels.numpy())}
    assert {tuple(map(int, colour)) for colour in truth.reshape(-1, 3)} == expected
    assert task.pictures(network, tmp_path / "none", 0) == []

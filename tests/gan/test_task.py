"""The task: splits that scores are of, uniform rivals, the budget, pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from common.errors import UserError
from common.run.checkpoint import save_weights
from gan.compression.model import build
from gan.compression.space import uniform_archs
from gan.compression.system import SYSTEM
from gan.compression.task import CompressionTask
from gan.data import Images, ordered
from gan.task import TranslationTask, load_data
from tests.gan.micro import task_of, tiny


class Same(nn.Module):
    """Gives its input, and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.seen: list[torch.Tensor] = []

    def forward(self, x):
        self.seen.append(x)
        return x


def unpaired(**changes):
    s = tiny()
    s = replace(s, data=replace(s.data, embedded="textures"), distil=replace(s.distil, steps=0))
    return replace(s, **changes)


def whole(images: Images) -> torch.Tensor:
    return torch.cat(list(ordered(images, 24, 2)))


@pytest.fixture
def task(tmp_path) -> CompressionTask:
    return task_of(tiny(), tmp_path / "weights")


def test_a_candidate_makes_pictures_of_the_split_it_is_judged_on_and_of_no_other(task):
    network = Same()
    for split in ("val", "test"):
        network.seen.clear()
        scores = task.metrics(network, split)
        chosen = getattr(task.data, split)
        assert torch.equal(torch.cat(network.seen), whole(chosen.inputs))
        assert scores["L1"] == pytest.approx(float((whole(chosen.inputs) - whole(chosen.targets)).abs().mean()) / 2, rel=1e-5)
    network.seen.clear()
    task.metrics(network, "val", 3)
    assert torch.equal(torch.cat(network.seen), whole(task.data.val.inputs)[:3])


def test_perfect_pictures_have_no_distance(task):
    targets = iter(ordered(task.data.val.targets, 24, 64))

    class Perfect(Same):
        def forward(self, x):
            return next(targets)

    scores = task.metrics(Perfect(), "val")
    assert scores["Frechet"] == pytest.approx(0, abs=1e-6) and scores["L1"] == 0 and scores["SSIM"] == pytest.approx(1)


def test_without_pairs_the_test_distance_is_from_all_true_pictures_but_those_of_validation(tmp_path):
    made = task_of(unpaired(), tmp_path)
    save_weights(made.teacher_file, build(made.teacher_net))
    network, seen = Same(), []
    real = made.features.forward
    made.features.forward = lambda pictures: (seen.append(pictures), real(pictures))[1]
    made.metrics(network, "test")
    everything = torch.cat(seen)
    true = torch.cat((whole(made.data.test.targets), whole(made.data.train.targets)))
    assert torch.equal(everything[: len(true)], true)
    seen.clear()
    made.metrics(network, "val")
    assert torch.equal(torch.cat(seen)[: len(made.data.val.targets)], whole(made.data.val.targets))


def test_the_rival_is_the_widest_generator_of_one_width_that_keeps_the_budget(tmp_path):
    for macs, width in ((1e9, 12), (6_398_784, 12), (6_398_783, 8), (3.4e6, 8), (2e6, 4)):
        made = task_of(replace(tiny(), budget={"macs": macs}), tmp_path)
        assert made.baseline == uniform_archs(made.space, "tiny")[width]
    assert task_of(replace(tiny(), budget={}), tmp_path).baseline == uniform_archs(made.space, "tiny")[12]
    assert made.teacher_costs == {"params": 46_563, "macs": 6_398_784}  # as wide as the widest student


def test_what_is_searched_for(tmp_path):
    assert [o.name for o in task_of(tiny(), tmp_path).objectives] == ["Frechet", "macs"]
    assert task_of(replace(tiny(), score="L1"), tmp_path).objectives[0].name == "L1"
    s = replace(tiny(), score="mIoU", segmenter="tests.gan.test_metrics:Halves")
    made = task_of(s, tmp_path)
    assert (made.objectives[0].name, made.objectives[0].direction) == ("mIoU", "max")
    assert 0 < made.metrics(Same(), "val")["mIoU"] < 1
    with pytest.raises(UserError, match="without pairs there is nothing to compare with"):
        task_of(unpaired(score="L1"), tmp_path)


def test_settings_are_changed_on_the_same_data(task):
    other = task.variant(("paired.distil=0", "finetune.steps=7"))
    assert other.data is task.data and other.weights == task.weights
    assert other.game.distil == 0 and other.phases("standalone")[0].settings.steps == 7 and task.game.distil == 1


def test_strips_show_input_teacher_compressed_and_truth(task, tmp_path):
    save_weights(task.teacher_file, build(task.teacher_net)) if task.weights.mkdir() is None else None
    rows = task.pictures(Same(), tmp_path / "samples", 2)
    assert [row["file"] for row in rows] == ["0.png", "1.png"] and "input, teacher, compressed, truth" in rows[0]["caption"]
    with Image.open(tmp_path / "samples" / "0.png") as strip:
        assert strip.size == (4 * 128 + 3 * 6, 128)
        first, third, fourth = (strip.crop((x, 0, x + 128, 128)).tobytes() for x in (0, 268, 402))
    assert first == third != fourth


@pytest.mark.parametrize("made", [tiny(), unpaired()], ids=["pairs", "none"])
def test_a_system_without_a_reference_has_scores_and_strips_as_well(made, tmp_path):
    task = TranslationTask(SYSTEM, made, tmp_path / "weights")
    assert tuple(task.metrics(Same(), "val")) == task.scores
    assert ("L1" in task.scores) == task.data.paired and "L1_teacher" not in task.scores
    names = "input, generated, truth" if task.data.paired else "input, generated"
    (row,) = task.pictures(Same(), tmp_path / "samples", 1)
    assert row["caption"].endswith(f": {names}")
    with Image.open(tmp_path / "samples" / "0.png") as strip:
        assert strip.width == len(names.split()) * (128 + 6) - 6


def test_a_teacher_is_the_reference_of_its_students(tmp_path):
    made = task_of(unpaired(), tmp_path)
    save_weights(made.teacher_file, build(made.teacher_net))
    assert tuple(made.metrics(Same(), "val")) == made.scores == ("Frechet", "L1_teacher")
    assert made.metrics(made.teacher(torch.device("cpu")), "val")["L1_teacher"] == 0


def test_digits_are_never_mirrored(tmp_path):
    flips = {}
    for kind in ("digits", "photographs"):
        s = replace(tiny(), data=replace(tiny().data, embedded=kind, flip=True))
        flips[kind] = task_of(s, tmp_path).augmentation.flip
    assert flips == {"digits": False, "photographs": True}


def test_embedded_pictures_are_made_as_asked():
    data = load_data(replace(tiny().data, embedded="digits", train=5, val=3, test=2))
    assert [len(split.inputs) for split in (data.train, data.val, data.test)] == [5, 3, 2]
    assert len(load_data(replace(tiny().data, val=None)).val.inputs) == 64
    with pytest.raises(UserError):
        load_data(replace(tiny().data, folder=str(Path("nowhere"))))

"""The phases: what they train, on which batches, with which pixels."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from common.space import decode
from common.stages.settings import PhaseSettings
from common.supernet import Supernet, opened
from common.train.optim import OptimSettings
from common.train.step import Step
from detection import mm
from detection.data import crops, embedded
from detection.data.classification import BoxCrops
from detection.detnas.model import DetNASClassifier, build
from detection.detnas.networks import TINY, spaces
from detection.detnas.recipes import smoke
from detection.detnas.space import SIZES, uniform_arch
from detection.detnas.warm_start import inherit_from_baseline
from detection.heads import Pixels
from detection.phases import Classify, Detect
from tests.detection.micro import made

SETTINGS = PhaseSettings(steps=2, batch=4, optim=OptimSettings(name="sgd", lr=0.1))
SPACE = spaces()[TINY]


@pytest.fixture(scope="module")
def data():
    return embedded(train=6, val=1, test=1)


@pytest.fixture(scope="module")
def images(data):
    return BoxCrops(crops(data.train, 32), len(data.classes), flip=False)


def classify(images, spread=False) -> Classify:
    return Classify(
        name="pretrain",
        settings=SETTINGS,
        images=lambda: images,
        classifier=lambda backbone, classes: DetNASClassifier(backbone, 24, classes, 0.2),
        label_smoothing=0.1,
        after=inherit_from_baseline if spread else None,
    )


def detector(space=SPACE):
    return build(decode(space, uniform_arch(space, 0)))


def test_classification_trains_the_detectors_own_backbone(images):
    network = detector()
    phase = classify(images)
    model = phase.wrap(network, seed=0)
    terms = phase.loss(model, phase.batch_at(0, seed=0), Step())
    terms["loss"].backward()
    trained = {id(p) for p in model.parameters()}
    assert {id(p) for p in network.backbone.parameters()} <= trained
    assert all(p.grad is not None for p in network.backbone.parameters())
    assert not {id(p) for name, p in network.named_parameters() if not name.startswith("net.backbone")} & trained
    assert "bbox_head" not in " ".join(model.state_dict())


def test_the_classifier_is_a_function_of_the_seed(images):
    a, b, c = (classify(images).wrap(detector(), seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["classifier.linear.weight"], c["classifier.linear.weight"])


@pytest.mark.parametrize("pixels", [Pixels(), Pixels(order="bgr", mean=(10, 20, 30), std=(2, 4, 8))])
def test_classification_normalises_pixels_as_the_detector_does(images, pixels):
    network = detector(replace(SPACE, head=replace(SPACE.head, pixels=pixels))).eval()
    phase = classify(images)
    model = phase.wrap(network, seed=0).eval()
    batch = phase.batch_at(0, seed=0)[0]
    seen = []
    network.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(batch)
        network(batch)
    assert torch.equal(*seen)
    expected = batch.flip(1) if pixels.order == "bgr" else batch
    expected = (expected - torch.tensor(pixels.mean).view(3, 1, 1)) / torch.tensor(pixels.std).view(3, 1, 1)
    torch.testing.assert_close(seen[0], expected)


def test_labels_are_smoothed_and_accuracy_is_that_of_the_scores(images):
    phase = classify(images)
    model = phase.wrap(detector(), seed=0).eval()
    batch, labels = phase.batch_at(0, seed=0)
    with torch.no_grad():
        scores = model(batch)
        terms = phase.loss(model, (batch, scores.argmax(1)), Step())
        assert float(terms["accuracy"]) == 1
        log = F.log_softmax(scores, 1)
        hard = -log[torch.arange(4), labels].mean()
        expected = 0.9 * hard + 0.1 * -log.mean()
        torch.testing.assert_close(phase.loss(model, (batch, labels), Step())["loss"], expected)


def test_weights_are_spread_after_the_phase_if_asked(images):
    for spread in (False, True):
        network = build(opened(SPACE))
        classify(images, spread).finish(network, network)
        options = network.get_submodule("net.backbone.stages.0.1.options")
        same = torch.equal(*(options[i].main.get_submodule("reduce.conv").weight for i in (0, 1)))
        assert same is spread


def test_a_run_trains_backbones_under_the_papers_classifier_then_detectors():
    s = smoke()
    task = made(replace(s, data=replace(s.data, train=6, val=1, test=1), dropout=0.3, label_smoothing=0.05))
    phases = {kind: task.phases(kind) for kind in ("supernet", "standalone", "relaxed")}
    assert {kind: [phase.name for phase in found] for kind, found in phases.items()} == {
        "supernet": ["warm-up", "pretrain", "detect"],
        "standalone": ["pretrain", "detect"],
        "relaxed": [],
    }
    assert [phase.settings for phase in phases["supernet"]] == [s.warm_up, s.pretrain, s.detect]
    assert [phase.settings for phase in phases["standalone"]] == [s.retrain_pretrain, s.retrain_detect]
    warm_up, pretrain, _ = phases["supernet"]
    assert warm_up.after is inherit_from_baseline and pretrain.after is None and phases["standalone"][0].after is None
    for phase in (warm_up, pretrain, phases["standalone"][0]):
        classifier = phase.wrap(task.network(task.baseline, 0), 0).classifier
        assert (classifier.last.conv.out_channels, classifier.linear.out_features) == (SIZES["tiny"].last, 5)
        assert (classifier.dropout.p, phase.label_smoothing) == (0.3, 0.05)


def test_detection_batches_are_pure_functions_of_step_and_seed(data):
    phase = Detect(name="detect", settings=SETTINGS, split=data.train, flip=False)
    first = phase.batch_at(3, seed=1)
    phase.batch_at(0, seed=1)
    again = phase.batch_at(3, seed=1)
    assert first.ids == again.ids and torch.equal(first.images, again.images)


def test_what_mmdet_samples_is_a_function_of_step_and_seed(data, monkeypatch):
    """It needs no place in a batch: the loss is told of its step."""
    phase, seeds = Detect(name="detect", settings=SETTINGS, split=data.train, flip=False), []
    monkeypatch.setattr(mm, "losses", lambda *_, seed: seeds.append(seed) or {})
    model, batch = detector(), phase.batch_at(0, 0)
    steps = [Step(number=number, seed=seed) for number in range(5) for seed in range(5)]
    for step in [*steps, *steps]:
        phase.loss(model, batch, step)
    assert len(set(seeds)) == 25 and seeds[:25] == seeds[25:]


def test_detection_trains_the_active_path_of_the_network_itself(data):
    net = Supernet(build(opened(SPACE)), SPACE)
    net.activate(uniform_arch(SPACE, 2))
    phase = Detect(name="detect", settings=SETTINGS, split=data.train, flip=True)
    assert phase.wrap(net.module, 0) is net.module
    batch = phase.batch_at(0, seed=0)
    terms = phase.loss(net.module, batch, Step())
    assert all(torch.equal(value, phase.loss(net.module, batch, Step())[name]) for name, value in terms.items())
    sum(terms.values()).backward()
    assert {name for name, p in net.module.named_parameters() if p.grad is not None} == {n for n, _ in net.active_parameters()}
    phase.finish(net.module, net.module)

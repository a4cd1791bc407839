"""The spaces with open widths and depths."""

from dataclasses import replace

import pytest
import torch

from common.arch import save
from common.errors import UserError
from common.space import decisions, decode, record
from common.supernet import Supernet, extreme, opened
from detection.backbones.descriptions import MOBILE
from detection.detnas import joint
from detection.detnas.backbones import DetNASSupernet
from detection.detnas.model import build
from detection.detnas.names import read_arch
from detection.detnas.networks import networks, spaces
from detection.detnas.recipes import smoke
from detection.detnas.space import SIZES, arch_of_genes, backbone, classifier, uniform_arch
from detection.detnas.system import SYSTEM, Describing
from detection.facts import DetectionFacts

SCALED = [name for name, size in SIZES.items() if size.scaled]


def test_the_first_options_of_tiny_scaled_are_the_network_of_tiny():
    scaled, tiny = (build(decode(space, uniform_arch(space, 1))) for space in (backbone("tiny-scaled"), backbone("tiny")))
    known = tiny.state_dict()
    assert [*scaled.state_dict()] == [*known]
    assert all(torch.equal(value, known[name]) for name, value in scaled.state_dict().items())


@pytest.mark.parametrize("name", SCALED)
def test_depths_are_decisions(name):
    space = backbone(name)
    settled = [decode(space, extreme(space, largest=largest)) for largest in (False, True)]
    for i, options in enumerate(SIZES[name].depths):
        assert [len(net.stages[i].blocks) for net in settled] == [min(options), max(options)]
    assert [len(stage.blocks) for stage in decode(space, uniform_arch(space, 0)).stages] == list(SIZES[name].repeats)


def test_widths_of_maps_are_decisions_of_tiny_mobile():
    space = backbone("tiny-mobile")
    small, large = (build(decode(space, extreme(space, largest=largest))) for largest in (False, True))
    assert (small.channels, large.channels) == ((4, 8, 16), (16, 32, 64))
    kinds = [decision for path, decision in decisions(space).items() if path.endswith(".blocks.0")]
    assert len(kinds) == 3 and all(decision.options == MOBILE for decision in kinds)


def test_a_narrow_path_of_tiny_mobile_takes_the_leading_channels():
    space = backbone("tiny-mobile")
    net = Supernet(build(opened(space)).eval(), space)
    narrow = record(space, lambda path, decision: decision.options.index(8) if path == "stages.0.width" else 0)
    alone = net.extract(narrow, build)
    wide = net.module.get_submodule("stages.0.0.options.0.main.reduce.conv").weight
    assert wide.shape[0] == 16
    assert torch.equal(alone.get_submodule("stages.0.0.main.reduce.conv").weight, wide[:8, :16])


def test_the_pyramid_takes_every_width_of_a_map():
    space = spaces()["tiny-mobile detector"]
    net = Supernet(build(opened(space)).eval(), space)
    lateral = net.module.get_submodule("net.neck.lateral_convs.0.conv")
    assert lateral.weight.shape == (32, 32, 1, 1)
    largest = float(lateral.weight.detach().abs().max())  # of mmdetection's initial weights, Xavier's: torch's own reach 0.18
    assert 0.25 < largest <= (6 / 64) ** 0.5
    alone = net.extract(extreme(space, largest=False), build)
    assert torch.equal(alone.get_submodule("net.neck.lateral_convs.0.conv").weight, lateral.weight[:, :8])


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.parametrize("form", ["classifier", "backbone", "detector"])
def test_architecture_files_are_read(tmp_path, name, form):
    net = classifier(name)
    space = {"classifier": net, "backbone": net.backbone, "detector": spaces()[f"{name} detector"]}[form]
    save(tmp_path / "arch.json", space, extreme(space, largest=True))
    assert read_arch(str(tmp_path / "arch.json"), None) == (name, net, extreme(net, largest=True))
    found = SYSTEM.described(Describing(arch=str(tmp_path / "arch.json"), space=name))
    assert found["space"] == name and "genes" not in found
    assert found["detector"]["head"] == "RetinaNet"


@pytest.mark.parametrize("name", SCALED)
def test_gene_strings_are_refused(name):
    with pytest.raises(UserError, match="genes name kinds of block alone"):
        arch_of_genes(backbone(name), [0] * 8)


@pytest.mark.parametrize("name", SCALED)
def test_mmengine_is_given_no_sliced_weights(name):
    with pytest.raises(UserError, match=f"space '{name}' has open widths"):
        DetNASSupernet(name)


def test_the_baseline_is_an_architecture_and_costs_of_widths_differ():
    made = networks(replace(smoke(), space="tiny-mobile"), DetectionFacts(classes=("a", "b"), canvas=(64, 64)))
    assert made.order is None
    assert [*made.baseline] == [*record(made.space, lambda path, decision: 0)]
    small, large = (made.costs.of(extreme(made.space, largest=largest)) for largest in (False, True))
    for cost in ("params", "macs", "macs_backbone", "macs_classifier"):
        assert small[cost] < made.costs.of(made.baseline)[cost] < large[cost]


@pytest.mark.parametrize(("name", "said"), [("tiny", True), ("tiny-scaled", False), ("tiny-mobile", False)])
def test_pictures_of_joint_architectures_name_blocks_where_these_are_the_whole_backbone(name, said):
    made = networks(replace(joint.smoke(), space=name), DetectionFacts(classes=("a", "b"), canvas=(64, 64)))
    assert made.draw is not None
    assert ("on blocks 0 0 0" in made.draw(made.baseline)) == said

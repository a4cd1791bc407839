"""NAS-FPN's detectors: published counts, the paper's notation, hand-made pyramids, the drawing, and what is refused."""

import json
from dataclasses import replace
from random import Random
from xml.etree import ElementTree

import pytest
import torch
from torchvision.models import resnet18

from common.arch import save
from common.errors import UserError
from common.evaluate.settings import ProxySettings
from common.overrides import plain
from common.run.checkpoint import load_weights
from common.space import decode, sample
from common.stages.reload import reload
from detection.description import DetectorNet
from detection.facts import DetectionFacts
from detection.nas_fpn.names import published_space
from detection.nas_fpn.networks import networks
from detection.nas_fpn.recipes import smoke
from detection.nas_fpn.space import hand_made, space
from detection.nas_fpn.system import SYSTEM, Describing
from detection.necks.drawing import draw
from detection.necks.merges import PUBLISHED, merges
from detection.necks.settings import PyramidSettings
from detection.necks.wirings import arch_of, top_down
from tests.contracts.runs import finished


def open_detector(pyramid: PyramidSettings) -> DetectorNet:
    head = replace(smoke().head, anchor_sizes=tuple(4.0 * 2**level for level in pyramid.levels))
    return space("resnet-18", pyramid, head, 5)


@pytest.mark.parametrize(("size", "macs"), [(640, 140.1e9), (1024, 358.7e9), (1280, 560.5e9)])
def test_the_published_pyramid_has_the_counts_of_the_specification(size, macs):
    found = SYSTEM.described(Describing(arch="7@256", size=size))
    assert found["params"] == 60_174_734
    assert found["macs"] == pytest.approx(macs, rel=5e-4)
    assert json.loads(json.dumps(found)) == found


def test_a_lite_pyramid_is_smaller():
    lite, plain = (SYSTEM.described(Describing(arch=arch, size=320, backbone="resnet-18")) for arch in ("lite:3@64", "3@64"))
    assert lite["params"] < plain["params"] and lite["cells"] == plain["cells"]


def test_pyramids_are_described_from_files(tmp_path):
    settings = smoke()
    net = space(settings.backbone, settings.pyramid, settings.head, 5)
    arch = sample(net, Random(0))
    save(tmp_path / "arch.json", net, arch)
    found = SYSTEM.described(Describing(arch=str(tmp_path / "arch.json"), backbone="resnet-18"))
    cells = merges(decode(net, arch).neck.wiring)
    assert [(cell["level"], cell["op"], tuple(cell["inputs"])) for cell in found["cells"]] == [
        (cell.level, cell.op, cell.inputs) for cell in cells
    ]


@pytest.mark.parametrize(
    ("arch", "says"),
    [
        ("0@256", "give one stack and one channel at least, 7@256 say"),
        ("7@x", "write STACKS@WIDTH, 7@256 say"),
        ("nine", "no published name"),
    ],
)
def test_what_is_no_pyramid_is_refused(arch, says):
    with pytest.raises(UserError, match=says):
        SYSTEM.described(Describing(arch=arch))


def test_other_mistakes_are_refused():
    with pytest.raises(UserError, match="--size 0: give the side of the image"):
        SYSTEM.described(Describing(arch="7@256", size=0))
    with pytest.raises(UserError, match="backbone 'vgg' does not exist"):
        SYSTEM.described(Describing(arch="7@256", backbone="vgg"))
    with pytest.raises(UserError, match=r"backbone 'vgg' does not exist; choose one of .*, or timm:NAME"):
        replace(smoke(), backbone="vgg")
    with pytest.raises(UserError, match="backbone_weights: nobody has published weights of shufflenet-tiny"):
        replace(smoke(), backbone_weights="w.pth")
    given = replace(smoke(), backbone="resnet-18", retrain_pretrain=replace(smoke().retrain_pretrain, steps=0))
    assert replace(given, backbone_weights="w.pth").finished() == given
    with pytest.raises(UserError, match=r"backbone_weights and retrain_pretrain.steps=60: .*; set retrain_pretrain.steps=0"):
        replace(smoke(), backbone="resnet-18", backbone_weights="w.pth")
    proxy = replace(given.search, evaluation=ProxySettings(overrides=("backbone=resnet-10",)))
    with pytest.raises(UserError, match=r"candidates have another backbone .*; add backbone_weights=null"):
        replace(given, search=proxy, backbone_weights="w.pth")
    both = replace(given.search, evaluation=ProxySettings(overrides=("backbone=resnet-10", "backbone_weights=null")))
    assert replace(given, search=both, backbone_weights="w.pth").backbone_weights == "w.pth"
    with pytest.raises(UserError, match=r"w.pth: cannot be read"):
        networks(replace(given, backbone_weights="w.pth"), DetectionFacts(classes=("a",), canvas=(64, 64)))


def test_a_finished_run_needs_no_file_of_backbone_weights(tmp_path):
    file = tmp_path / "r18.pth"
    torch.save(resnet18(weights=None).state_dict(), file)
    few = ["data.train=8", "data.val=4", "data.test=4", "pictures=0", "retrain_pretrain.steps=0"]
    run = finished(SYSTEM, tmp_path / "run", *few, "backbone=resnet-18", f"backbone_weights={file}")
    file.unlink()
    reloaded = reload(run)
    load_weights(run / "best" / "model.safetensors", reloaded.network(reloaded.networks.baseline))


def test_a_file_has_the_sizes_of_its_run(tmp_path):
    """Of one that lies in no run they are those of the paper."""
    sizes = PyramidSettings(levels=(3, 4, 5), between=1, width=16, stacks=2, lite=True)
    net = open_detector(sizes)
    file = tmp_path / "best" / "arch.json"
    file.parent.mkdir()
    save(file, net, arch_of(net, top_down((3, 4, 5), 1)))
    alone = SYSTEM.described(Describing(arch=str(file)))
    assert (alone["stacks"], alone["width"], alone["lite"]) == (7, 256, False)
    (tmp_path / "config.json").write_text(json.dumps({"settings": {"pyramid": plain(sizes)}}))
    found = SYSTEM.described(Describing(arch=str(file)))
    assert (found["stacks"], found["width"], found["lite"]) == (2, 16, True) and found["params"] < alone["params"]
    with pytest.raises(UserError, match=r"pyramid.levels=\[3, 5\]: give two or more consecutive levels"):
        PyramidSettings(levels=(3, 5))
    with pytest.raises(UserError, match=r"head.anchor_sizes=\[20, 28, 36\]: the pyramid has 2 levels; give one size for each"):
        replace(smoke(), pyramid=PyramidSettings(levels=(3, 4)))
    with pytest.raises(UserError, match="the wiring is none of the grammar's of levels 3, 4 and 0 cells between"):
        arch_of(open_detector(PyramidSettings(levels=(3, 4), between=0)), PUBLISHED)


@pytest.mark.parametrize("levels", [(3, 4), (3, 4, 5), (3, 4, 5, 6, 7)])
@pytest.mark.parametrize("between", [0, 1, 2, 3])
def test_the_baseline_is_a_top_down_pyramid_of_the_grammar(levels, between):
    net = open_detector(PyramidSettings(levels=levels, between=between))
    wiring = decode(net, arch_of(net, top_down(levels, between))).neck.wiring
    outputs = [cell for cell in merges(wiring) if cell.output]
    assert [cell.level for cell in outputs] == sorted(levels, reverse=True)
    assert all(cell.op == "sum" for cell in outputs)
    for i, cell in enumerate(outputs[1:]):  # the input of its level, and the output above
        assert cell.inputs == (len(levels) - 2 - i, len(levels) + between + i)


def test_the_published_pyramid_is_a_rival_where_the_levels_are_its_own():
    assert hand_made(published_space(1, 8)) == {"published": arch_of(published_space(1, 8), PUBLISHED)}
    assert hand_made(space("resnet-18", PyramidSettings(levels=(3, 4, 5)), smoke().head, 5)) == {}


def test_the_drawing_has_every_cell_and_an_edge_for_each_map():
    net = published_space(1, 8)
    text = draw(net, arch_of(net, PUBLISHED))
    picture = ElementTree.fromstring(text)  # our own text
    words = [node.text for node in picture.iter() if node.tag.endswith("text")]
    assert words.count("attention") == 1 and words.count("attention, P5") == 1 and words.count("sum, P3") == 1
    assert text.count("<path") == sum(2 + len(cell.orphans) for cell in merges(PUBLISHED))

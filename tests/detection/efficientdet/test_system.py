"""`describe efficientdet`, published weights under our names, and a run that finds its networks."""

import json

import pytest
import torch

from common.arch import save
from common.errors import UserError
from common.space import decode
from detection.build import build
from detection.efficientdet.space import detector, family, published, smallest
from detection.efficientdet.system import SYSTEM, Describing
from detection.efficientdet.weights import renamed, translated


@pytest.mark.parametrize(("name", "params", "macs"), [("D0", 3_880_067, 2_492_331_520), ("D7", 51_871_782, 322_731_636_576)])
def test_members_are_described_by_name(name, params, macs):
    found = SYSTEM.described(Describing(arch=name))
    assert (found["params"], found["macs"]) == (params, macs)
    assert json.loads(json.dumps(found)) == found


def test_members_are_described_from_files(tmp_path):
    space = family("tiny", 5)
    save(tmp_path / "arch.json", space, smallest(space))
    found = SYSTEM.described(Describing(arch=str(tmp_path / "arch.json")))
    assert found["sizes"]["side"] == 48 and found["params"] > 0


@pytest.mark.parametrize(
    ("text", "says"),
    [("D8", r"'D8' is no published name \(D0, D1, .*\), no architecture file"), ("8", "no published name|no arch")],
)
def test_what_is_no_member_is_refused(text, says):
    with pytest.raises(UserError, match=says):
        SYSTEM.described(Describing(arch=text))


def test_published_weights_load_strictly_into_our_network():
    """effdet's names; `test_effdet.py` compares outputs where the package is installed."""
    assert renamed("backbone.blocks.0.0.conv_pw.weight") == "backbone.stages.0.0.main.project.weight"
    assert renamed("backbone.blocks.3.1.se.conv_reduce.bias") == "backbone.stages.3.1.main.se.reduce.bias"
    assert renamed("fpn.resample.3.conv.bn.running_mean") == "neck.extra.0.project.1.running_mean"
    assert renamed("class_net.bn_rep.2.4.bn.weight") == "bbox_head.class_net.norms.2.4.weight"
    state = {"box_net.predict.conv_pw.bias": torch.arange(8.0), "box_net.predict.conv_pw.weight": torch.arange(8.0).reshape(8, 1)}
    found = translated(state)
    assert found["bbox_head.box_net.predict.pointwise.bias"].tolist() == [1, 0, 3, 2, 5, 4, 7, 6]
    names = set(build(detector(decode(family("paper"), published("D0")))).state_dict())
    assert {f"net.{name}" for name in found} <= names

"""effdet's networks, where the package is installed: equal outputs with its weights, equal anchors."""

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from common.errors import UserError
from common.space import decode
from detection.build import build
from detection.efficientdet import weights
from detection.efficientdet.space import PUBLISHED, detector, family, published
from detection.efficientdet.weights import load, translated


@pytest.fixture(scope="module")
def effdet():
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patched:
        warnings.simplefilter("ignore")
        # effdet compiles its anchors when it is imported, which fails where another library has replaced an operator of torch
        patched.setattr(torch.jit, "script", lambda function: function)
        return pytest.importorskip("effdet", reason="effdet is not installed: its networks are not compared with ours")


@pytest.mark.parametrize(("name", "side"), [("d0", 512), ("d1", 256)])
def test_outputs_are_those_of_effdet_with_its_weights(effdet, name, side):
    torch.manual_seed(0)
    config = effdet.get_efficientdet_config(f"tf_efficientdet_{name}")
    config.image_size = (side, side)
    theirs = effdet.EfficientDet(config, pretrained_backbone=False).eval()
    for key, value in (*theirs.named_parameters(), *theirs.named_buffers()):
        if key.endswith(("running_mean", "running_var")):  # activations stay near 1, scores near 5
            nn.init.uniform_(value, 0.5, 1.5)
        elif key.endswith("edge_weights"):
            nn.init.uniform_(value, -0.3, 1)
    net = detector(decode(family("paper"), published(name.upper())))
    ours = build(net).eval()
    ours.net.load_state_dict(translated(theirs.state_dict()))
    x = torch.randn(1, 3, side, side)
    with torch.no_grad():
        scores, boxes = ours.net.get_submodule("bbox_head")(ours.net.extract_feat(x))
        wanted_scores, wanted_boxes = theirs(x)
    for mine, other in zip(scores, wanted_scores, strict=True):
        assert (mine - other).abs().max() < 1e-4
    for mine, other in zip(boxes, wanted_boxes, strict=True):
        assert (mine.unflatten(1, (-1, 4))[:, :, [1, 0, 3, 2]].flatten(1, 2) - other).abs().max() < 1e-4


def test_a_file_of_effdet_loads_strictly_by_the_name_of_the_member(effdet, tmp_path):
    theirs = effdet.EfficientDet(effdet.get_efficientdet_config("tf_efficientdet_d0"), pretrained_backbone=False).eval()
    torch.save(theirs.state_dict(), tmp_path / "d0.pth")
    ours = load(tmp_path / "d0.pth", "D0")
    state = ours.net.state_dict()
    wanted = translated(theirs.state_dict())
    assert not ours.training and all(torch.equal(state[name], value) for name, value in wanted.items())
    assert len(wanted) == len(state)
    for name, classes, says in (
        ("D1", 90, "does not fit EfficientDet-D1 of 90 classes: .* more"),
        ("D0", 20, r"does not fit EfficientDet-D0 of 20 classes: .* is \(810,.*\), the network has \(180,"),
    ):
        with pytest.raises(UserError, match=rf"d0.pth {says}"):
            load(tmp_path / "d0.pth", name, classes)
    with pytest.raises(UserError, match="member 'D9' does not exist; choose one of D0, D1"):
        load(tmp_path / "d0.pth", "D9")


@pytest.mark.parametrize("name", PUBLISHED)
def test_members_have_the_anchors_of_their_weights(effdet, monkeypatch, name):
    monkeypatch.setattr(weights, "read_state", lambda file, remedy: {})
    monkeypatch.setattr(weights, "load_strictly", lambda *_: None)
    with torch.device("meta"):
        scale = load(Path("none"), name).head.anchor_scale
    assert scale == effdet.get_efficientdet_config(f"tf_efficientdet_{name.lower()}").anchor_scale


def test_anchors_are_those_of_effdet(effdet):
    from effdet.anchors import Anchors

    config = effdet.get_efficientdet_config("tf_efficientdet_d0")
    theirs = Anchors.from_config(config).boxes[:, [1, 0, 3, 2]]
    ours = build(detector(decode(family("paper"), published("D0"))))
    generator = ours.net.get_submodule("bbox_head").prior_generator
    mine = torch.cat(generator.grid_priors([(512 // 2**level,) * 2 for level in range(3, 8)], device="cpu"))
    assert mine.shape == theirs.shape
    assert (mine - theirs).abs().max() < 1e-3

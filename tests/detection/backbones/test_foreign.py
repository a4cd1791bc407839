"""Backbones of timm and torchvision with published weights, and files of other networks."""

import pytest
import torch
from torchvision.models import resnet18, resnet34

from common.errors import UserError
from detection.backbones.descriptions import ResNet, Timm
from detection.backbones.modules import backbone

IMAGES = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def test_weights_of_torchvision_give_its_maps(tmp_path):
    whole = resnet18(weights=None).eval()
    torch.save(whole.state_dict(), tmp_path / "r18.pth")
    ours = backbone(ResNet(depth=18, weights=str(tmp_path / "r18.pth")), finest=8).eval()
    x = whole.maxpool(whole.relu(whole.bn1(whole.conv1(IMAGES))))
    wanted = [x := stage(x) for stage in (whole.layer1, whole.layer2, whole.layer3, whole.layer4)][1:]
    assert all(torch.equal(mine, other) for mine, other in zip(ours(IMAGES), wanted, strict=True))
    assert ours.channels == (128, 256, 512) and ours.strides == (8, 16, 32)


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(resnet34(weights=None).state_dict(), tmp_path / "r34.pth")
    with pytest.raises(
        UserError, match=r"r34.pth does not fit this backbone: layer1.2.*bn1.bias is not in the network; .* more; give"
    ):
        backbone(ResNet(depth=18, weights=str(tmp_path / "r34.pth")))


def test_timm_gives_its_maps_with_its_weights(tmp_path):
    timm = pytest.importorskip("timm", reason="timm is not installed: its backbones are not tried")
    whole = timm.create_model("tf_efficientnet_b0").eval()
    torch.save(whole.state_dict(), tmp_path / "b0.pth")
    ours = backbone(Timm(name="tf_efficientnet_b0", weights=str(tmp_path / "b0.pth")), finest=8).eval()
    assert (ours.channels, ours.strides) == ((40, 112, 320), (8, 16, 32))
    wanted = whole.forward_intermediates(IMAGES, indices=[2, 3, 4], intermediates_only=True)
    for mine, other in zip(ours(IMAGES), wanted, strict=True):
        torch.testing.assert_close(mine, other)
    torch.save({"conv_stem.weight": torch.ones(1)}, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=r"odd.pth does not fit this backbone: .* is missing.* more; give weights"):
        backbone(Timm(name="tf_efficientnet_b0", weights=str(tmp_path / "odd.pth")))
    with torch.device("meta"):  # counting reads no file
        backbone(Timm(name="tf_efficientnet_b0", weights=str(tmp_path / "none.pth")))


def test_networks_that_timm_has_not_are_refused(monkeypatch):
    pytest.importorskip("timm", reason="timm is not installed: its backbones are not tried")
    with pytest.raises(UserError, match=r"timm has no backbone 'efficientnet_b99' \(.*\); give one of timm.list_models"):
        backbone(Timm(name="efficientnet_b99"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"timm not installed: timm needs it; run pip install 'tasknas\[timm\]'"):
        backbone(Timm(name="tf_efficientnet_b0"))

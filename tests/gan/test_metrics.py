"""Features, the Fréchet distance and the distances of pairs, each against a computation of its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from skimage.metrics import peak_signal_noise_ratio
from torch import nn

from common.errors import UserError
from gan.features import InceptionFeatures, SmallFeatures
from gan.metrics import Frechet, mean_iou, paired_scores, segmenter

CPU = torch.device("cpu")


def pictures(seed: int, n: int = 80, side: int = 24) -> torch.Tensor:
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


class Four(nn.Module):
    """Four features of a picture that hang together only in part."""

    num_features = 4

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack((*x.mean((2, 3)).unbind(1), x[:, 0].std((1, 2))), 1) * 10


def test_the_distance_is_that_of_two_gaussians():
    a, b = pictures(0), pictures(1) * 0.6
    features = Four()
    x, y = (features(p).double().numpy() for p in (a, b))
    (cov_x, cov_y), gap = (np.cov(z.T) for z in (x, y)), x.mean(0) - y.mean(0)
    expected = gap @ gap + np.trace(cov_x + cov_y - 2 * sqrtm(cov_x @ cov_y).real)
    frechet = Frechet(features, a.split(32), CPU)
    assert frechet.distance(b.split(30)) == pytest.approx(expected, rel=1e-5)
    assert frechet.distance([a]) == pytest.approx(0, abs=1e-9)  # nothing of an earlier set is left in it
    assert frechet.distance([b]) == pytest.approx(expected, rel=1e-5)


def test_the_features_are_fixed_and_see_more_than_brightness():
    one, two = SmallFeatures(), SmallFeatures()
    assert torch.equal(one(pictures(0)), two(pictures(0))) and one(pictures(0)).shape == (80, 64)
    assert not any(p.requires_grad for p in one.parameters())
    flat = torch.full((2, 3, 24, 24), 0.5)
    assert one(flat)[:, :16].abs().max() < 1e-5  # filters of the first scale sum to nothing
    smooth = nn.functional.avg_pool2d(pictures(0), 3, 1, 1)
    frechet = Frechet(one, [pictures(2)], CPU)
    assert frechet.distance([smooth]) > 20 * frechet.distance([pictures(3)])


def test_pairs_are_compared_as_elsewhere():
    true = pictures(0, 4)
    generated = (true + 0.2 * pictures(1, 4)).clamp(-1, 1)
    found = paired_scores([(generated[:3], true[:3]), (generated[3:], true[3:])])
    assert found["L1"] == pytest.approx(float((generated - true).abs().mean()) / 2, rel=1e-5)
    psnr = [peak_signal_noise_ratio(t.numpy(), g.numpy(), data_range=2.0) for g, t in zip(generated, true, strict=True)]
    assert found["PSNR"] == pytest.approx(np.mean(psnr), rel=1e-4)
    assert 0.5 < found["SSIM"] < 1 and paired_scores([(true, true)])["SSIM"] == pytest.approx(1)


class Halves(nn.Module):
    """Two classes: whether the red channel is above zero."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack((-x[:, 0], x[:, 0]), 1)


NO_MODULE = dict


def test_a_segmenter_is_asked_for_the_classes_of_both_pictures():
    true, generated = torch.ones(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    true[..., 0] = -1  # half of each class
    generated[..., 0, 0] = -1  # a quarter
    # low: 1 of 2 in the union; high: 2 of 3
    assert mean_iou(Halves(), [(generated, true)]) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert isinstance(segmenter("tests.gan.test_metrics:Halves"), Halves)


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("tests.gan.test_metrics", "give package.module:name"),
        ("no.such:thing", "No module named"),
        ("tests.gan.test_metrics:Quarters", "no attribute"),
        ("tests.gan.test_metrics:NO_MODULE", "it must make a torch module"),
    ],
)
def test_a_segmenter_that_is_none(path, part):
    with pytest.raises(UserError, match=part):
        segmenter(path)


def test_inception_takes_the_weights_of_torchvision(tmp_path):
    from torchvision.models import inception_v3

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = inception_v3(weights=None, init_weights=False, transform_input=True).eval()
    torch.save(network.state_dict(), tmp_path / "inception.pth")
    features = InceptionFeatures(tmp_path / "inception.pth")
    found = features.eval()(pictures(0, 2))
    assert found.shape == (2, 2048) and not any(p.requires_grad for p in features.parameters())
    scaled = nn.functional.interpolate(pictures(0, 2), (299, 299), mode="bilinear", antialias=True)
    mean, deviation = (torch.tensor(x)[:, None, None] for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    network.fc = nn.Identity()
    with torch.no_grad():
        torch.testing.assert_close(found, network(((scaled + 1) / 2 - mean) / deviation))

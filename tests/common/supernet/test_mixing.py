"""What weighted sums save: zeros, and multiplications by a weight after a normalisation."""

import pytest
import torch
from torch import nn

from common.supernet.mixing import weighted, weighted_sum


class Zeros(nn.Module):
    zeros = True

    def __init__(self):
        super().__init__()
        self.runs = 0

    def forward(self, x):
        self.runs += 1
        return x * 0


def image(seed=0):
    return torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(seed))


def test_what_gives_zeros_is_not_run_unless_it_is_all_there_is():
    zeros, conv, x = Zeros(), nn.Conv2d(3, 3, 1), image()
    weights = torch.tensor([0.3, 0.7], requires_grad=True)
    found = weighted_sum([(weights[0], zeros), (weights[1], conv)], (x,), False)
    assert zeros.runs == 0 and torch.equal(found, 0.7 * conv(x))
    assert torch.autograd.grad(found.sum(), weights)[0][0] == 0
    assert torch.equal(weighted_sum([(weights[0], zeros)], (x,), False), torch.zeros_like(x)) and zeros.runs == 1


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_a_weight_takes_the_place_of_those_of_a_normalisation(training, affine):
    """Values, all gradients and statistics are those of the product."""

    def made():
        torch.manual_seed(0)
        return nn.Sequential(nn.ReLU(), nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5, affine=affine)).train(training)

    mine, plain, w = made(), made(), torch.tensor(0.3, requires_grad=True)
    x = image().requires_grad_()
    found, wanted = weighted(w, mine, (x,)), w * plain(x)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    target = torch.randn_like(wanted)
    of_mine = torch.autograd.grad((found * target).sum(), [w, x, *mine.parameters()])
    of_plain = torch.autograd.grad((wanted * target).sum(), [w, x, *plain.parameters()])
    for a, b in zip(of_mine, of_plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(mine.buffers(), plain.buffers(), strict=True))


def test_a_normalisation_that_is_watched_is_run_as_it_is():
    module, seen = nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3, affine=False)), []
    module[1].register_forward_hook(lambda *_: seen.append(True))
    weighted(torch.tensor(0.5), module, (image(),))
    assert seen == [True]


def test_recomputation_gives_the_same_bits():
    torch.manual_seed(0)
    chain = nn.Sequential(nn.ReLU(), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, affine=False))
    modules = [chain, nn.MaxPool2d(3, 1, 1), nn.Identity()]
    x, found = image().requires_grad_(), []
    for recompute in (False, True):
        weights = torch.tensor([0.2, 0.3, 0.5], requires_grad=True)
        out = weighted_sum([(weights[i], module) for i, module in enumerate(modules)], (x,), recompute)
        found.append([out, *torch.autograd.grad(out.square().sum(), [weights, x, *modules[0].parameters()])])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))

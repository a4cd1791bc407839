"""What weighted sums save: zeros, multiplications by a weight after a normalisation, and pools that read one tensor."""

import pytest
import torch
from torch import nn

from common.supernet.mixing import sharing, weighted, weighted_sum


class Zeros(nn.Module):
    zeros = True

    def __init__(self):
        super().__init__()
        self.runs = 0

    def forward(self, x):
        self.runs += 1
        return x * 0


class Pool(nn.Sequential):
    alike = "pool"

    def __init__(self):
        super().__init__(nn.MaxPool2d(3, 1, 1), nn.BatchNorm2d(3, affine=False))
        self.runs = 0

    def forward(self, input):
        self.runs += 1
        return super().forward(input)


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


def test_pools_that_read_one_tensor_run_once_and_all_learn_their_statistics():
    pools, alone, x, y = [Pool() for _ in range(3)], [Pool() for _ in range(3)], image(1), image(2)
    for pool, other in zip(pools, alone, strict=True):  # unlike before: one was not live for a while
        for statistic in (pool[1].running_mean, other[1].running_mean):
            statistic.fill_(len(pools) if pool is pools[0] else 0.5)
    w = [torch.tensor(v, requires_grad=True) for v in (0.2, 0.3, 0.5)]
    with sharing():
        found = [weighted(w[i], pools[i], (t,)) for i, t in ((0, x), (1, x), (2, y), (2, x))]
    wanted = [w[i] * alone[i](t) for i, t in ((0, x), (1, x), (2, y), (2, x))]
    assert [pool.runs for pool in pools] == [1, 0, 1]
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    for pool, other in zip(pools, alone, strict=True):
        for a, b in zip(pool.buffers(), other.buffers(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    weighted(w[0], pools[0], (x,))
    with sharing():
        weighted(w[0], pools[1], (x,))
    assert [pool.runs for pool in pools] == [2, 1, 1], "nothing is kept from one block to the next"


def test_what_ran_without_gradients_is_not_taken_for_what_has_them():
    pool, x = Pool(), image().requires_grad_()
    with sharing():
        with torch.no_grad():
            weighted(torch.tensor(1.0), pool, (x,))
        assert weighted(torch.tensor(1.0), pool, (x,)).requires_grad
    assert pool.runs == 2


def test_recomputation_gives_the_same_bits():
    torch.manual_seed(0)
    modules = [nn.Sequential(nn.ReLU(), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, affine=False)), Pool(), nn.Identity()]
    x, found = image().requires_grad_(), []
    for recompute in (False, True):
        weights = torch.tensor([0.2, 0.3, 0.5], requires_grad=True)
        with sharing():
            out = weighted_sum([(weights[i], module) for i, module in enumerate(modules)], (x,), recompute)
            found.append([out, *torch.autograd.grad(out.square().sum(), [weights, x, *modules[0].parameters()])])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))

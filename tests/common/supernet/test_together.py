"""Sums of modules that read one tensor, run as one: values, gradients and statistics are those of the modules one by one."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from common.space import OneOf
from common.supernet import Mixed, Supernet, choose, opened
from common.supernet.together import Together, form_of, mixtures
from tests.common.supernet.test_mixing import Zeros

C = 4


class Pool(nn.Sequential):
    alike = "pool"

    def __init__(self):
        super().__init__(nn.MaxPool2d(3, 1, 1), nn.BatchNorm2d(C, affine=False))
        self.runs = 0

    def forward(self, input):
        self.runs += 1
        return super().forward(input)


class Skip(nn.Identity):
    alike = "skip"


def depthwise(kernel, stride=1, dilation=1, padding=None):
    padding = dilation * (kernel // 2) if padding is None else padding
    return nn.Conv2d(C, C, kernel, stride, padding, dilation, groups=C, bias=False)


def pointwise():
    return nn.Conv2d(C, C, 1, bias=False)


CHAINS = {
    "separable": lambda: nn.Sequential(
        nn.ReLU(), depthwise(3), pointwise(), nn.BatchNorm2d(C, affine=False), nn.ReLU(), depthwise(3), pointwise()
    ),
    "normalised": lambda: nn.Sequential(nn.ReLU(), depthwise(5), pointwise(), nn.BatchNorm2d(C, affine=False)),
    "affine": lambda: nn.Sequential(depthwise(3), nn.BatchNorm2d(C, momentum=0.3), nn.ReLU(), pointwise(), nn.BatchNorm2d(C)),
    "whole": lambda: nn.Sequential(nn.ReLU(), nn.Conv2d(C, C, 3, padding=1, bias=False), nn.BatchNorm2d(C, affine=False)),
    "whole-affine": lambda: nn.Sequential(nn.Conv2d(C, C, 3, padding=1, bias=False), nn.BatchNorm2d(C)),
    "strided": lambda: nn.Sequential(nn.ReLU(), depthwise(5, 2, 2), nn.BatchNorm2d(C, affine=False)),
    "strided, even padding": lambda: nn.Sequential(nn.ReLU(), depthwise(3, 2, 2), nn.BatchNorm2d(C, affine=False)),
    "strided, odd padding": lambda: nn.Sequential(nn.ReLU(), depthwise(3, 2, 2, 1), nn.BatchNorm2d(C, affine=False)),
    "two strides": lambda: nn.Sequential(nn.ReLU(), depthwise(3, (2, 1), 2)),
    "a normalisation first": lambda: nn.Sequential(nn.BatchNorm2d(C, affine=False), pointwise()),
    "grouped": lambda: nn.Sequential(nn.Conv2d(C, 2 * C, 3, padding=1, groups=2, bias=False), nn.BatchNorm2d(2 * C)),
    "nothing but ReLU": lambda: nn.Sequential(nn.ReLU()),
}


def image(seed=0, size=6):
    return torch.randn(4, C, size, size, generator=torch.Generator().manual_seed(seed))


def compared(made, uses, x=None):
    """Runs sums together and one by one: `made` are modules, `uses[i]` those of sum i."""
    torch.manual_seed(0)
    modules = made()
    for module in modules:
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
    others = deepcopy(modules)
    x = (image() if x is None else x).requires_grad_()
    results = []
    for given, run in ((modules, mixtures), (others, one_by_one)):
        torch.manual_seed(1)
        weights = [[torch.rand((), requires_grad=True) for _ in use] for use in uses]
        sums = [[(w, given[i]) for w, i in zip(row, use, strict=True)] for row, use in zip(weights, uses, strict=True)]
        outs = run(x, sums)
        loss = sum((out * torch.randn(out.shape)).sum() for out in outs)
        wanted = [x, *(w for row in weights for w in row), *(p for module in given for p in module.parameters())]
        gradients = torch.autograd.grad(loss, wanted, allow_unused=True)
        results.append((outs, gradients, [buffer for module in given for buffer in module.buffers()]))
    for one, other in zip(*results, strict=True):
        for a, b in zip(one, other, strict=True):
            torch.testing.assert_close(*(torch.zeros(()) if t is None else t for t in (a, b)), rtol=1e-4, atol=1e-5)
    return modules


def one_by_one(x, sums):
    return [sum(w * module(x) for w, module in terms) for terms in sums]


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("size", [6, 7])
def test_chains_of_one_form_are_run_as_one(name, times, size):
    assert form_of(CHAINS[name]()) is not None
    compared(lambda: [CHAINS[name]() for _ in range(times)], [[i] for i in range(times)], image(size=size))


def test_sums_of_all_kinds_of_modules():
    """Forms that all sums have and forms that some have, pools, identities, modules without a form, zeros."""
    kinds = [CHAINS["normalised"], CHAINS["separable"], Pool, Skip, lambda: nn.Sequential(nn.Tanh(), pointwise()), Zeros]
    modules = compared(
        lambda: [kind() for _ in range(3) for kind in kinds],
        [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11], [12, 15, 16]],
    )
    assert [module.runs for module in modules if isinstance(module, Pool)] == [1, 0, 0]
    assert not any(module.runs for module in modules if isinstance(module, Zeros))


def test_a_sum_may_have_several_chains_of_one_form():
    compared(lambda: [CHAINS["normalised"]() for _ in range(4)], [[0, 1], [2, 3]])
    compared(lambda: [CHAINS["normalised"]() for _ in range(3)], [[2], [0, 1]])
    compared(lambda: [CHAINS["normalised"](), CHAINS["normalised"](), CHAINS["whole"]()], [[0, 1], [2]])


def test_a_sum_may_take_a_kind_twice_and_another_none():
    compared(lambda: [Pool(), Pool(), pointwise(), Skip()], [[0, 1], [2], [3]])


def test_zeros_are_run_where_a_sum_has_nothing_else():
    modules = compared(lambda: [Zeros(), Zeros(), pointwise()], [[0, 1], [2]])
    assert [module.runs for module in modules[:2]] == [1, 0]


def test_what_is_no_plain_chain_has_no_form():
    plain = CHAINS["normalised"]()
    assert form_of(plain) == form_of(CHAINS["normalised"]()) != form_of(CHAINS["affine"]())
    biased = nn.Sequential(nn.Conv2d(C, C, 1))
    mirrored = nn.Sequential(nn.Conv2d(C, C, 3, padding=1, padding_mode="reflect", bias=False))
    unwatched = nn.Sequential(nn.BatchNorm2d(C, track_running_stats=False))
    averaged = nn.Sequential(nn.BatchNorm2d(C, momentum=None))
    assert all(form_of(module) is None for module in (biased, mirrored, unwatched, averaged, nn.ReLU(), Pool()))
    hook = plain[1].register_forward_hook(lambda *_: None)
    assert form_of(plain) is None
    hook.remove()
    plain.register_forward_pre_hook(lambda *_: None)
    assert form_of(plain) is None


def made():
    """Two choices that read one tensor, half of each mixture a pool."""
    space = [OneOf("conv", "pool"), OneOf("conv", "pool")]
    makers = {"conv": CHAINS["normalised"], "pool": Pool}
    net = Supernet(nn.ModuleList(choose(op, lambda name: makers[name]()) for op in opened(space)), space)
    return net, list(net.module)


def relax(net, recompute=False):
    net.relax({path: Mixed(torch.tensor([0.5, 0.5])) for path in net.relaxable}, recompute)


def test_readers_are_computed_together_once():
    net, (first, second) = made()
    relax(net)
    x = image()
    together = Together(x, [first, second])
    found = [together(second), together(first), together(second)]
    assert first.options[1].runs + second.options[1].runs == 1 and found[0] is found[2]
    net, (first, second) = made()
    relax(net)
    alone = Together(x, [first])
    alone(first)
    assert first.options[1].runs == 1 and second.options[1].runs == 0
    alone(second)
    assert second.options[1].runs == 1, "a reader that was not announced runs alone"


@pytest.mark.parametrize("case", ["settled", "evaluated", "recomputed", "watched"])
def test_readers_that_cannot_be_computed_together_run_one_by_one(case):
    net, (first, second) = made()
    seen = []
    if case != "settled":
        relax(net, recompute=case == "recomputed")
    if case == "evaluated":
        net.module.eval()
    if case == "watched":
        second.register_forward_hook(lambda *_: seen.append(True))
    x = image()
    together = Together(x, [first, second])
    found = [together(first), together(second)]
    wanted = [first(x), second(x)]
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)
    assert second.options[1].runs == (0 if case == "settled" else 2) and seen == [True, True] * (case == "watched")

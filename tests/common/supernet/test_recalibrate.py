import torch
from torch import nn

from common.space import Arch, OneOf
from common.supernet import Supernet, choose, kept_statistics, opened, recalibrate
from common.supernet.recalibrate import batch_norms

SPACE = (OneOf(1, 3), OneOf(1, 3))


def supernet() -> Supernet:
    torch.manual_seed(0)

    def block(k: int, c: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(c, 4, k, padding=k // 2), nn.BatchNorm2d(4), nn.Dropout(0.5))

    first, second = opened(SPACE)
    return Supernet(nn.Sequential(choose(first, lambda k: block(k, 3)), choose(second, lambda k: block(k, 4))), SPACE)


def batches(n: int = 3) -> list[torch.Tensor]:
    return [torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(i)) for i in range(n)]


def score(net: Supernet, arch: Arch) -> torch.Tensor:
    net.activate(arch)
    with kept_statistics(net.module):
        recalibrate(net.module, batches(), lambda m, x: m(x))
        net.module.eval()
        with torch.no_grad():
            return net.module(batches()[0]).clone()


def test_statistics_are_the_mean_over_batches():
    norm = nn.BatchNorm2d(3)
    recalibrate(norm, batches(), lambda m, x: m(x))
    xs = torch.stack(batches())
    torch.testing.assert_close(norm.running_mean, xs.mean((1, 3, 4)).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([x.transpose(0, 1).flatten(1).var(1) for x in xs]).mean(0))
    assert norm.momentum == 0.1
    assert norm.training


def test_statistics_of_a_trained_layer_are_those_of_the_batches_alone():
    used, fresh = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    for seed in range(5):
        used(7 + 3 * torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(100 + seed)))
    for norm in (used, fresh):
        recalibrate(norm, batches(), lambda m, x: m(x))
    assert used.running_mean is not None and used.running_var is not None
    assert torch.equal(used.running_mean, fresh.running_mean) and torch.equal(used.running_var, fresh.running_var)
    assert int(used.num_batches_tracked) == len(batches())


def test_every_module_keeps_its_mode():
    frozen = nn.BatchNorm2d(3).eval()
    net = nn.Sequential(nn.Dropout(0.5), frozen)
    assert net.training
    recalibrate(net, batches(), lambda m, x: m(x))
    assert [part.training for part in net.modules()] == [True, True, False]


def test_scores_do_not_depend_on_the_order_of_candidates_and_nothing_leaks():
    """Law 4."""
    archs = [Arch({"0": i, "1": j}) for i in range(2) for j in range(2)]
    net = supernet()
    before = [b.clone() for n in batch_norms(net.module) for b in n.buffers()]
    forward = {arch: score(net, arch) for arch in archs}
    assert all(torch.equal(a, b) for a, b in zip(before, (b for n in batch_norms(net.module) for b in n.buffers()), strict=True))
    backward = {arch: score(net, arch) for arch in reversed(archs)}
    assert all(torch.equal(forward[arch], backward[arch]) for arch in archs)
    alone = {arch: score(supernet(), arch) for arch in archs}
    assert all(torch.equal(forward[arch], alone[arch]) for arch in archs)


def test_statistics_come_back_also_after_an_error():
    norm = nn.BatchNorm2d(3)
    try:
        with kept_statistics(norm):
            norm(batches()[0])
            raise RuntimeError("candidate failed")
    except RuntimeError:
        pass
    assert torch.equal(norm.running_mean, torch.zeros(3))
    assert int(norm.num_batches_tracked) == 0

import torch
from torch import nn

from common.cost.memory import peak_memory

N = 4000
"""Bytes of a thousand numbers."""


def test_what_is_freed_does_not_count_twice():
    def step() -> None:
        for _ in range(5):
            a = torch.zeros(1000)
            b = a + 1
            del a, b

    assert peak_memory(step) == 2 * N


def test_views_and_changes_in_place_cost_nothing():
    before = torch.zeros(1000)

    def step() -> None:
        before.add_(1).view(10, 100).t().mul_(2)
        before[3:5].relu_()

    assert peak_memory(step) == 0


def test_what_autograd_keeps_counts_until_the_backward_pass():
    x = torch.zeros(1000, requires_grad=True)
    held: list[torch.Tensor] = []

    def forward() -> None:
        held.append(x.exp().exp().exp().sum())

    assert N * 3 <= peak_memory(forward) <= N * 3 + 16
    assert N * 2 <= peak_memory(held.pop().backward) <= N * 2 + 16  # a gradient, and the one it is made from

    def without() -> None:
        with torch.no_grad():
            x.exp().exp().exp().sum()

    assert N * 2 <= peak_memory(without) <= N * 2 + 16


def test_gradients_count_and_weights_do_not():
    layer, x = nn.Linear(100, 50, bias=False), torch.randn(1, 100)
    peak = peak_memory(lambda: layer(x).sum().backward())
    assert 100 * 50 * 4 <= peak < 100 * 50 * 4 + 1000


def test_an_inner_step_is_measured_anew():
    def step() -> None:
        torch.zeros(1000)

    assert peak_memory(step) == peak_memory(step) == N


def test_of_cuda_it_is_the_allocator_s_peak_above_the_start_of_a_step_that_has_ended(monkeypatch):
    done = []
    for name, value in {
        "synchronize": None,
        "reset_peak_memory_stats": None,
        "memory_allocated": 30,
        "max_memory_allocated": 42,
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, name=name, value=value: done.append((name, device)) or value)
    assert peak_memory(lambda: done.append(("step", "")), "cuda:0") == 12
    names = ["synchronize", "reset_peak_memory_stats", "memory_allocated", "step", "synchronize", "max_memory_allocated"]
    assert [name for name, _ in done] == names and {device for name, device in done if name != "step"} == {"cuda:0"}

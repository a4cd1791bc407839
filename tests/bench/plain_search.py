"""The search network of DARTS written plainly, as the papers' code has it: what our step is measured against.

One module an option, every option computed, a weighted sum an edge; a backward pass computes all gradients, those that are
thrown away as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from classification.cells.operations import MAKERS, relu_conv_norm
from classification.cells.space import OPERATIONS, Network


class Zeros(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride].mul(0.0)


class Reduce(nn.Module):
    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(c_in, c_out // 2, 1, 2, bias=False)
        self.conv_2 = nn.Conv2d(c_in, c_out // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(c_out, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        return self.norm(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], 1))


def operation(name: str, width: int, stride: int, net: Network) -> nn.Module:
    if name == "none":
        return Zeros(stride)
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else Reduce(width, width)
    return MAKERS[name](width, stride, net)


class Mixed(nn.Module):
    """All operations of an edge."""

    def __init__(self, width: int, stride: int, net: Network) -> None:
        super().__init__()
        self.ops = nn.ModuleList(operation(name, width, stride, net) for name in OPERATIONS)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        if weights.numel() == 1 + len(self.ops):  # GDAS: the last number is the option drawn
            k = int(weights[-1])
            return weights[k] * self.ops[k](x)
        return sum((w * op(x) for w, op in zip(weights, self.ops, strict=True)), torch.zeros(()))


class PartialMixed(nn.Module):
    def __init__(self, width: int, stride: int, net: Network) -> None:
        super().__init__()
        self.mixed = Mixed(width // net.partial, stride, net)
        self.k, self.stride = net.partial, stride

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        seen = x.shape[1] // self.k
        rest = x[:, seen:] if self.stride == 1 else F.max_pool2d(x[:, seen:], 2, 2)
        x = torch.cat([self.mixed(x[:, :seen], weights), rest], 1)
        return x.view(x.shape[0], self.k, seen, *x.shape[2:]).transpose(1, 2).flatten(1, 2)


class Cell(nn.Module):
    def __init__(self, before: int, last: int, width: int, reduction: bool, after: bool, nodes: int, net: Network) -> None:
        super().__init__()
        self.pre_0 = Reduce(before, width) if after else relu_conv_norm(before, width, 1, 1, False)
        self.pre_1 = relu_conv_norm(last, width, 1, 1, False)
        self.nodes = nodes
        kind = Mixed if net.partial == 1 else PartialMixed
        strides = [2 if reduction and i < 2 else 1 for n in range(nodes) for i in range(2 + n)]
        self.edges = nn.ModuleList(kind(width, stride, net) for stride in strides)

    def forward(self, before: Tensor, last: Tensor, weights: Tensor, edges: Tensor | None) -> Tensor:
        states, at = [self.pre_0(before), self.pre_1(last)], 0
        for _ in range(self.nodes):
            rows = range(at, at + len(states))
            scale = None if edges is None else edges[at : at + len(states)].softmax(0)
            terms = [self.edges[row](state, weights[row]) for row, state in zip(rows, states, strict=True)]
            states.append(sum(terms if scale is None else [s * t for s, t in zip(scale, terms, strict=True)], torch.zeros(())))
            at += len(rows)
        return torch.cat(states[2:], 1)


class Plain(nn.Module):
    """The network with its logits."""

    def __init__(self, net: Network, nodes: int, draws: bool = False) -> None:
        super().__init__()
        width = net.width
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * width, 3, 1, 1, bias=False), nn.BatchNorm2d(3 * width))
        before = last = 3 * width
        self.cells, after, self.kinds = nn.ModuleList(), False, []
        for i in range(net.cells):
            reduction = i in (net.cells // 3, 2 * net.cells // 3)
            width *= 2 if reduction else 1
            self.cells.append(Cell(before, last, width, reduction, after, nodes, net))
            before, last, after = last, nodes * width, reduction
            self.kinds.append(reduction)
        self.classifier = nn.Linear(last, net.classes)
        rows = sum(2 + n for n in range(nodes))
        self.logits = [(1e-3 * torch.randn(rows, len(OPERATIONS))).requires_grad_() for _ in range(2)]
        self.betas = [(1e-3 * torch.randn(rows)).requires_grad_() for _ in range(2)] if net.partial > 1 else [None, None]
        self.draws = draws

    def forward(self, x: Tensor) -> Tensor:
        before = last = self.stem(x)
        weights = [self._weights(logits) for logits in self.logits]
        for cell, reduction in zip(self.cells, self.kinds, strict=True):
            before, last = last, cell(before, last, weights[reduction], self.betas[reduction])
        return self.classifier(last.mean((2, 3)))

    def _weights(self, logits: Tensor) -> Tensor:
        if not self.draws:
            return logits.softmax(-1)
        soft = F.gumbel_softmax(logits, 10.0, hard=False)
        k = soft.argmax(-1, keepdim=True)
        hard = torch.zeros_like(soft).scatter(-1, k, 1.0)
        return torch.cat([hard - soft.detach() + soft, k.to(soft)], -1)

    def arch(self) -> list[Tensor]:
        return [*self.logits, *(beta for beta in self.betas if beta is not None)]


def plain_step(
    net: Plain, train: Callable[[int], Any], search: Callable[[int], Any], lr: float, second: bool = False
) -> Callable[[], object]:
    """A step of the architecture, of first or second order, and one of the weights."""
    weights = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9, weight_decay=3e-4)
    arch = torch.optim.Adam(net.arch(), lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3)
    number = 0

    def loss(batch: Sequence[Tensor]) -> Tensor:
        return F.cross_entropy(net(batch[0]), batch[1])

    def step() -> None:
        nonlocal number
        one, other = train(number), search(number)
        number += 1
        arch.zero_grad()
        if second:
            _unrolled(net, loss, one, other, weights, lr)
        else:
            loss(other).backward()
        arch.step()
        weights.zero_grad()
        loss(one).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        weights.step()

    return step


def _unrolled(net: Plain, loss: Any, one: Any, other: Any, weights: torch.optim.SGD, lr: float) -> None:
    """DARTS of second order: a copy of the network one step ahead, and a central difference."""
    parameters, logits = list(net.parameters()), net.arch()
    slopes = torch.autograd.grad(loss(one), parameters)
    kept = [p.detach().clone() for p in parameters]
    with torch.no_grad():
        for p, g in zip(parameters, slopes, strict=True):
            buffer = weights.state[p].get("momentum_buffer")
            p.sub_(lr * (g + 3e-4 * p + (0.0 if buffer is None else 0.9 * buffer)))
    found = torch.autograd.grad(loss(other), [*logits, *parameters])
    explicit, v = found[: len(logits)], found[len(logits) :]
    radius = 0.01 / torch.cat([t.flatten() for t in v]).norm()
    sides = []
    for sign in (1, -1):
        with torch.no_grad():
            for p, k, d in zip(parameters, kept, v, strict=True):
                p.copy_(k + sign * radius * d)
        sides.append(torch.autograd.grad(loss(one), logits))
    with torch.no_grad():
        for p, k in zip(parameters, kept, strict=True):
            p.copy_(k)
    for logit, g, plus, minus in zip(logits, explicit, *sides, strict=True):
        logit.grad = g - lr * (plus - minus) / (2 * radius)

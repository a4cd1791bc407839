"""Relaxed choices that read one tensor, run as one: what is alike in them is one convolution with groups, or one product.

A cell of DARTS has an edge from each node to every later one, and each edge has the same operations. The edges from one node
read one tensor, so the 3x3 convolutions of all of them are one convolution with groups; pools have no weights, so they are
computed once, and a matrix product gives what each edge takes of them. With two edges, of operations f (with weights) and p:

    edge 1:  a1 f1(x) + b1 p(x)        together:  [f1, f2](x) scaled by [a1, a2], in one run
    edge 2:  a2 f2(x) + b2 p(x)                   plus [b1, b2] times p(x)

Values are those of the choices one by one, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.layers import Sum
from common.supernet.choice import Choice, Deciding
from common.supernet.open import Mixed

Module = Callable[..., Any]


class Term(NamedTuple):
    """A part of one of several sums: `weight * module(x)`."""

    at: int
    weight: Tensor
    module: Any


class Together:
    """Modules that read one tensor.

    Args:
        x: what they read, of shape (n, c, h, w).
        readers: those that run in this step; the relaxed choices among them are computed together.
    """

    def __init__(self, x: Tensor, readers: Iterable[nn.Module]) -> None:
        self.x = x
        self._mixed: dict[nn.Module, tuple[Choice, Mixed]] = {}
        for reader in readers:
            if isinstance(reader, Choice) and (mixed := reader.relaxed()) is not None:
                self._mixed[reader] = reader, mixed
        self._known: dict[nn.Module, Tensor] = {}

    def __call__(self, reader: nn.Module) -> Tensor:
        """What a reader gives for the tensor; the first call computes what all give."""
        if reader not in self._mixed:
            return reader(self.x)
        if not self._known:
            sums = [choice.terms(mixed) for choice, mixed in self._mixed.values()]
            self._known = dict(zip(self._mixed, mixtures(self.x, sums), strict=True))
        return self._known[reader]


def running(node: nn.Module) -> Iterator[Any]:
    """The parts of what `choose_many` gives that run now."""
    if isinstance(node, Deciding):
        yield from (part for _, part, runs in node.branches() if runs)
    elif isinstance(node, Sum):
        yield from node.members


def mixtures(x: Tensor, sums: Sequence[Sequence[tuple[Tensor, Module]]]) -> list[Tensor]:
    """For each of several sums, the sum over (weight, module) of `weight * module(x)`.

    Modules run as one where they are alike: chains of ReLU, convolutions without bias and BatchNorm of one form; and modules
    that say their kind by an attribute `alike`, of which those of one kind compute the same: pooling say. Modules that give
    zeros (their attribute `zeros` is true) are left out, unless a sum has nothing else. Modules are in training; statistics of
    normalisations are updated in each.

    Args:
        x: of shape (n, c, h, w).
        sums: at least one term in each; weights are scalars.
    """
    forms: dict[Hashable, list[Term]] = {}
    kinds: dict[Hashable, list[Term]] = {}
    parts: list[list[Tensor]] = [[] for _ in sums]
    for at, given in enumerate(sums):
        for weight, module in [term for term in given if not getattr(term[1], "zeros", False)] or given[:1]:
            if (kind := getattr(module, "alike", None)) is not None:
                kinds.setdefault(kind, []).append(Term(at, weight, module))
            elif (form := form_of(module)) is not None:
                forms.setdefault(form, []).append(Term(at, weight, module))
            else:
                parts[at].append(weight * module(x))
    before = _Before(x)
    whole: Tensor | None = None  # what every sum has a part of, side by side
    for terms in forms.values():
        out = _chains(before, terms)
        if len(terms) == len(sums) and [term.at for term in terms] == list(range(len(sums))):
            whole = out if whole is None else whole + out
        else:
            for term, part in zip(terms, out.chunk(len(terms), 1), strict=True):
                parts[term.at].append(part)
    if whole is not None:
        for part, out in zip(parts, whole.chunk(len(sums), 1), strict=True):
            part.append(out)
    if kinds:
        for part, out in zip(parts, _products(x, list(kinds.values()), len(sums)), strict=True):
            if out is not None:
                part.append(out)
    return [_total(part) for part in parts]


def _total(parts: Sequence[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def form_of(module: Any) -> Hashable | None:
    """What modules have in common that can run as one; None for a module that is no chain of the layers above.

    A module that somebody watches with a hook is left alone.
    """
    if type(module) is not nn.Sequential or module._forward_hooks or module._forward_pre_hooks:
        return None
    form: list[Any] = []
    for part in module:
        if part._forward_hooks or part._forward_pre_hooks:
            return None
        if type(part) is nn.ReLU:
            form.append(None)
        elif type(part) is nn.Conv2d and part.bias is None and part.padding_mode == "zeros":
            size = part.in_channels, part.out_channels, part.kernel_size, part.groups
            form.append((*size, part.stride, part.padding, part.dilation))
        elif type(part) is nn.BatchNorm2d and part.momentum is not None and part.running_mean is not None:
            form.append((part.num_features, part.eps, part.momentum, part.affine))
        else:
            return None
    return tuple(form)


class _Before:
    """What chains read first: the tensor, after ReLU or not, once or several times side by side."""

    def __init__(self, x: Tensor) -> None:
        self.known: dict[tuple[bool, int], Tensor] = {(False, 1): x}

    def get(self, relu: bool, times: int) -> Tensor:
        if (relu, times) not in self.known:
            one = self.known[False, 1] if times == 1 else self.get(relu, 1)
            self.known[relu, times] = F.relu(one) if times == 1 else torch.cat([one] * times, 1)
        return self.known[relu, times]


def _chains(before: _Before, terms: Sequence[Term]) -> Tensor:
    """`weight * module(x)` of chains of one form, side by side: (n, terms * c, h, w)."""
    n = len(terms)
    columns: list[tuple[Any, ...]] = list(zip(*(cast(nn.Sequential, term.module) for term in terms), strict=True))
    relu = isinstance(columns[0][0], nn.ReLU)
    rest = columns[1:] if relu else columns
    first = rest[0][0] if rest else None
    one = isinstance(first, nn.Conv2d) and first.groups == 1  # its outputs side by side are one convolution of what all read
    x = before.get(relu, 1 if one else n)
    scale = torch.stack([term.weight for term in terms])
    for i, column in enumerate(rest):
        part = column[0]
        if isinstance(part, nn.ReLU):
            x = F.relu(x)
        elif isinstance(part, nn.Conv2d):
            weight = torch.cat([conv.weight for conv in column]) if n > 1 else part.weight
            groups = 1 if one and i == 0 else n * part.groups
            x = _convolved(x, weight, part, groups)
        elif i == len(rest) - 1 and not part.affine:  # the weights in the sums take the place of those it does not have
            return _norms(x, column, scale.repeat_interleave(part.num_features), None)
        elif part.affine:
            x = _norms(x, column, torch.cat([norm.weight for norm in column]), torch.cat([norm.bias for norm in column]))
        else:
            x = _norms(x, column, None, None)
    return x * scale.repeat_interleave(x.shape[1] // n)[:, None, None]


def _convolved(x: Tensor, weight: Tensor, conv: nn.Conv2d, groups: int) -> Tensor:
    """The convolution; where it reads every other pixel alone (dilation 2 at stride 2), of those."""
    s, p = conv.stride[0], cast(tuple[int, int], conv.padding)
    if s > 1 and {*conv.stride, *conv.dilation} == {s} and p[0] % s == p[1] % s == 0:
        return F.conv2d(x[:, :, ::s, ::s], weight, None, 1, (p[0] // s, p[1] // s), 1, groups)
    return F.conv2d(x, weight, None, conv.stride, conv.padding, conv.dilation, groups)


def _norms(x: Tensor, norms: Sequence[nn.BatchNorm2d], weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Normalises side by side, and updates the statistics of each."""
    first = norms[0]
    known = [(cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)) for norm in norms]
    mean, variance = (torch.cat(statistic) for statistic in zip(*known, strict=True))
    x = F.batch_norm(x, mean, variance, weight, bias, True, cast(float, first.momentum), first.eps)
    for norm, old, *new in zip(norms, known, mean.chunk(len(norms)), variance.chunk(len(norms)), strict=True):
        cast(Tensor, norm.num_batches_tracked).add_(1)
        for before, after in zip(old, new, strict=True):
            before.copy_(after)
    return x


def _products(x: Tensor, kinds: Sequence[Sequence[Term]], n: int) -> list[Tensor | None]:
    """What each of `n` sums takes of what every kind gives; None where it takes nothing."""
    zero = kinds[0][0].weight.new_zeros(())
    rows = [[zero] * len(kinds) for _ in range(n)]
    taking: set[int] = set()
    outs = []
    for k, terms in enumerate(kinds):
        outs.append(_once(x, [term.module for term in terms]))
        for term in terms:
            rows[term.at][k] = term.weight if rows[term.at][k] is zero else rows[term.at][k] + term.weight
            taking.add(term.at)
    weights = torch.stack([weight for row in rows for weight in row]).unflatten(0, (n, len(kinds)))
    whole = torch.stack([out.permute(0, 2, 3, 1) for out in outs])  # channels last: the order in memory of what convolutions give
    products = (weights.to(whole) @ whole.flatten(1)).unflatten(1, whole.shape[1:])
    return [out.permute(0, 3, 1, 2) if i in taking else None for i, out in enumerate(products.unbind())]


def _once(x: Tensor, modules: Sequence[nn.Module]) -> Tensor:
    """What modules of one kind give; the first one runs, and the statistics of all are updated as if each had."""
    norms = [[part for part in module.modules() if isinstance(part, nn.BatchNorm2d)] for module in modules]
    if len(modules) == 1 or not norms[0]:
        return modules[0](x)
    before = [statistic.clone() for statistic in _statistics(norms[0])]
    out = modules[0](x)
    keep = [1 - (norm.momentum or 0.0) for norm in norms[0] for _ in _statistics([norm])]
    new = [now - k * old for now, k, old in zip(_statistics(norms[0]), keep, before, strict=True)]
    for others in norms[1:]:
        for statistic, k, change in zip(_statistics(others), keep, new, strict=True):
            statistic.mul_(k).add_(change)
        for norm in others:
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.add_(1)
    return out


def _statistics(norms: Sequence[nn.BatchNorm2d]) -> list[Tensor]:
    return [t for norm in norms for t in (norm.running_mean, norm.running_var) if t is not None]

"""Which of a module's own parameters are used in part, told by their gradients: however the part is taken.

Slices of a parameter itself are seen as they are taken (`common.supernet.slicing`). A slice of something computed from it is not:
`(x @ self.weight.t())[:, :width]`. Its gradient tells: the idle part has a gradient of exactly 0. A rectifier that lets nothing
through makes zeros too, but not with other weights: what stays 0 with weights drawn anew many times is idle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from common.space import Arch
from common.supernet.net import Supernet

DRAWS = 16
"""Most times that weights are drawn: a unit is off with all of them by chance once in 2**32 times (batches of two)."""


def used_in_part(net: Supernet, names: Sequence[str], archs: Sequence[Arch], inputs: Sequence[Tensor]) -> Iterator[str]:
    """Yields the parameters of which architectures use different parts.

    Args:
        net: the supernet; torch's generator gives the weights that are tried, its own stay.
        names: parameters to look at.
        archs: architectures to try.
        inputs: of the network.
    """
    wanted = {name: parameter for name, parameter in net.module.named_parameters() if name in names and parameter.requires_grad}
    idle: dict[str, list[Tensor]] = {}
    net.module.eval()
    for arch in archs if wanted else ():
        net.activate(arch)
        for name, zeros in _idle(net.module, list(wanted), inputs).items():
            idle.setdefault(name, []).append(zeros)
    net.forget()
    for name, parts in idle.items():
        if any(not torch.equal(part, parts[0]) for part in parts):
            yield name


def _idle(module: nn.Module, names: Sequence[str], inputs: Sequence[Tensor]) -> Mapping[str, Tensor]:
    """Parameter -> where its gradient stays 0, for the parameters that the active path reads at all."""
    zeros: dict[str, Tensor] = {}
    for _ in range(DRAWS):
        drawn = {name: _drawn(p) for name, p in module.named_parameters()}
        out = functional_call(module, drawn, tuple(inputs))
        total = [x.sum() for x in _floats(out) if x.requires_grad]
        if not total:
            return {}
        gradients = torch.autograd.grad(torch.stack(total).sum(), [drawn[name] for name in names], allow_unused=True)
        for name, gradient in zip(names, gradients, strict=True):
            if gradient is not None:
                zeros[name] = zeros.get(name, torch.ones_like(gradient, dtype=torch.bool)) & (gradient == 0)
        if not any(part.any() for part in zeros.values()):
            break
    return zeros


def _drawn(parameter: nn.Parameter) -> Tensor:
    """Other values of the same size."""
    values = parameter.detach()
    if not values.is_floating_point():
        return values
    return torch.randn_like(values).mul_(values.abs().mean().clamp(min=0.05) if values.numel() else 1).requires_grad_()


def _floats(out: object) -> Iterator[Tensor]:
    if isinstance(out, Tensor):
        yield from [out] if out.is_floating_point() else []
    elif isinstance(out, Mapping):
        yield from (x for part in out.values() for x in _floats(part))
    elif isinstance(out, tuple | list):
        yield from (x for part in out for x in _floats(part))

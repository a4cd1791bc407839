"""The handle on a built open description: activate, extract, and the guard that leaves idle weights untouched."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from common.errors import UserError
from common.space import decode
from common.supernet.choice import Choice, Deciding, Depth, Slot
from common.supernet.elastic import elastic_layers


class Supernet:
    """A handle on `module`, the build of `opened(space)`.

    Args:
        module: the shared network; modules in it read the decisions of `space`.
        space: the description with open decisions.
    """

    def __init__(self, module: nn.Module, space: Any) -> None:
        self.module = module
        self.space = space
        self.slots: dict[str, Slot] = {}
        self._sizes: dict[str, int] = {}
        self._one_at_a_time: set[str] = set()  # decisions that some module cannot run as a weighted sum
        for part in module.modules():
            if isinstance(part, Deciding):
                for decision in part.decisions:
                    self.slots.update(zip(decision.paths, decision.slots, strict=True))
                    self._sizes.update(zip(decision.paths, decision.sizes, strict=True))
                    if not isinstance(part, Choice) or len(decision.slots) > 1:
                        self._one_at_a_time.update(decision.paths)
        self._elastic = list(elastic_layers(module))

    def activate(self, arch: Mapping[str, int]) -> None:
        """Sets every decision that `arch` settles; the module then runs that path alone."""
        slots = self.slots
        for path, option in arch.items():
            if path in slots:  # a decision that no module reads (an input resolution, say) is the caller's
                slot = slots[path]
                slot.active = option
                slot.weights = None

    def relax(self, weights: Mapping[str, Sequence[Tensor]]) -> None:
        """Puts a weight on every option of the decisions named; their choices then run as weighted sums until `activate`.

        The continuous relaxation of DARTS (Liu et al. 2019, https://arxiv.org/abs/1806.09055, equation 2).

        Args:
            weights: decision path -> one scalar tensor per option, in the options' order; gradients flow into them.

        Raises:
            UserError: an unknown decision, a wrong number of weights, or a decision that sets a width, a kernel or a depth, or
                that a module reads together with others: such ones run one option at a time. Nothing is relaxed then.
        """
        for path, values in weights.items():
            if path not in self.slots:
                raise UserError(f"no module of this supernet reads decision {path!r}; it has {', '.join(self.slots)}")
            if path in self._one_at_a_time:
                raise UserError(
                    f"decision {path!r} sets a width, a kernel or a depth, or is read together with others, and cannot be "
                    "relaxed to a weighted sum; activate its options instead"
                )
            if len(values) != self._sizes[path]:
                raise UserError(f"decision {path!r} has {self._sizes[path]} options, not {len(values)}: give a weight for each")
        for path, values in weights.items():
            self.slots[path].weights = values

    def active_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Name and value of every parameter on the active path (whole tensors, also where only a slice is active)."""
        seen: set[int] = set()

        def walk(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Parameter]]:
            for name, parameter in module.named_parameters(prefix=prefix, recurse=False):
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield name, parameter
            for name, child in _active_children(module):
                yield from walk(child, f"{prefix}.{name}" if prefix else name)

        yield from walk(self.module, "")

    def extract(self, arch: Mapping[str, int], build: Callable[[Any], nn.Module]) -> nn.Module:
        """The standalone network of `arch` with the shared weights: `build(settled description)`, filled with slices.

        Raises:
            UserError: `build` names its parts differently for open and settled descriptions.
        """
        network = build(decode(self.space, arch))
        before = [(slot, slot.active, slot.weights) for slot in self.slots.values()]
        self.activate(arch)
        shared = settled(self.module).state_dict()
        for slot, active, weights in before:
            slot.active, slot.weights = active, weights
        target = network.state_dict()
        if shared.keys() != target.keys():
            odd = sorted(shared.keys() ^ target.keys())[0]
            raise UserError(f"the build function names its parts differently when settled: {odd!r} exists in one of them only")
        network.load_state_dict({name: _leading(value, target[name].shape) for name, value in shared.items()})
        return network.train(self.module.training)

    @contextmanager
    def idle_protected(self, optimizer: torch.optim.Optimizer) -> Iterator[None]:
        """Around `optimizer.step()`: weights outside the regions used since the last step stay bit for bit as they were.

        Whole idle modules need no guard (their gradient is None, which optimisers skip); slices of elastic layers do, since
        momentum and weight decay act on whole tensors. The optimiser's state in the idle region is kept as well.
        """
        idle: list[tuple[nn.Parameter, Tensor, Tensor, dict[str, Tensor]]] = []
        for layer in self._elastic:
            regions, layer.seen = layer.seen, set()
            for name, parameter in layer.named_parameters(recurse=False):
                if parameter.grad is None or not regions:
                    continue
                mask = torch.ones_like(parameter, dtype=torch.bool)
                for region in regions:
                    mask[layer.regions(name, region)] = False
                if mask.any():
                    state = {key: value.clone() for key, value in _like(optimizer, parameter).items()}
                    idle.append((parameter, mask, parameter.detach().clone(), state))
        yield
        with torch.no_grad():
            for parameter, mask, weights, state in idle:
                parameter[mask] = weights[mask]
                for key, value in _like(optimizer, parameter).items():
                    value[mask] = state[key][mask] if key in state else 0.0  # a buffer made by this very step


def _like(optimizer: torch.optim.Optimizer, parameter: Tensor) -> dict[str, Tensor]:
    """The optimiser's state of a parameter, entry by entry of it: momenta, not step counts."""
    state = optimizer.state.get(parameter, {})
    return {key: v for key, v in state.items() if isinstance(v, Tensor) and v.shape == parameter.shape}


def _active_children(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(module, Choice):
        yield module.active_name(), module.settle()
    elif isinstance(module, Depth):
        yield from list(module.named_children())[: len(list(module.settle().children()))]
    else:
        yield from module.named_children()


def settled(module: nn.Module) -> nn.Module:
    """A shell of `module` in which every deciding part is its active option; the weights are shared, not copied."""
    while isinstance(module, Deciding) and (plain := module.settle()) is not module:
        module = plain
    shell = copy.copy(module)
    shell._modules = {name: None if child is None else settled(child) for name, child in module._modules.items()}
    return shell


def _leading(tensor: Tensor, shape: torch.Size) -> Tensor:
    return tensor[tuple(slice(n) for n in shape)] if tensor.dim() else tensor

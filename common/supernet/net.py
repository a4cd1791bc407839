"""The handle on a built open description: activate, extract, and the guard that leaves idle weights untouched."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from operator import gt
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from common.errors import UserError
from common.space import decisions, decode
from common.space.properties import labels
from common.supernet.choice import Deciding, Subset
from common.supernet.elastic import Region, elastic_layers
from common.supernet.idle import Narrowed, covers
from common.supernet.open import Mixed, Slot


class Supernet:
    """A handle on `module`, the build of `opened(space)`.

    Args:
        module: the shared network; modules in it read the decisions of `space`.
        space: the description with open decisions.

    Attributes:
        slots: what each decision that a module reads is set to, by path.
        relaxable: the decisions that can be mixed, in the space's order: every module that reads one chooses by it alone among
            modules, members or summed inputs.
        sampled: those, and the decisions that can be mixed with one live option alone: some module multiplies its output by the
            option's weight, 1, so that gradients reach it, and the others merely run the option. A width is one of them.
        unread: the decisions of several options that no module reads.

    Raises:
        UserError: the space has no decision, or is not the one that was opened for the module.
    """

    def __init__(self, module: nn.Module, space: Any) -> None:
        self.module = module
        self.space = space
        self.slots: dict[str, Slot] = {}
        self._weights: dict[str, int] = {}  # how many weights mix a decision
        single: set[str] = set()  # decisions that some module cannot run as a weighted sum
        gated: set[str] = set()
        whole: set[str] = set()  # decisions of which one member must be live, since some module has no sum of none
        if not isinstance(module, nn.Module):
            kind = getattr(module, "__name__", type(module).__name__)
            raise UserError(f"Supernet takes the network, an nn.Module, not {kind}; give build(opened(space)) and the space")
        known = decisions(space)
        self._options = {path: len(decision) for path, decision in known.items()}
        self._labels = {path: tuple(labels(decision)) for path, decision in known.items()}
        for part in module.modules():
            if isinstance(part, Deciding):
                for decision in part.decisions:
                    for slot in decision.slots:
                        self._link(slot)
                    if not isinstance(part, Subset) or part.empty is None:
                        whole.update(decision.paths)
                    n = part.mixable()
                    if n is None:
                        single.update(decision.paths)
                    else:
                        self._weights.update(dict.fromkeys(decision.paths, n))
                        gated.update(decision.paths)
                for gate in part.gates():
                    self._weights.update(dict.fromkeys(gate.paths, gate.sizes[0]))
                    gated.update(gate.paths)
        self.relaxable = tuple(path for path in decisions(space) if path in self._weights and path not in single)
        several = {path for path in single if self.slots[path].many}  # a subset that runs whole: no mixture of members is one
        self.sampled = tuple(path for path in decisions(space) if path in gated and path not in several)
        self._whole = whole
        self._elastic = list(elastic_layers(module))
        self.unread = tuple(path for path, options in self._options.items() if path not in self.slots and options > 1)
        if not self._options:
            raise UserError("the space has no decision: open one, for instance width=OneOf(16, 32)")
        if self.unread:
            shown = ", ".join(map(repr, self.unread[:4])) + (" ..." if self.unread[4:] else "")
            opening = "" if self.slots else "; it reads none at all: build it of opened(space)"
            warnings.warn(
                f"no module of the supernet reads decision {shown}: its options give the same network; read it in the build "
                "function, or leave it out of the space (a decision that is not the network's is the caller's to read)" + opening,
                stacklevel=2,
            )

    def _link(self, slot: Slot) -> None:
        """Adds the slot of a decision.

        Raises:
            UserError: the space has no such decision, or the module reads it through another slot as well.
        """
        if slot.path not in self._options:
            known = ", ".join(self._options) or "none"
            raise UserError(
                f"the module reads decision {slot.path!r}, which the space does not have; it has {known}: give the space that "
                "was opened for the module"
            )
        if slot.labels != self._labels[slot.path]:
            inside, given = (", ".join(names[:8]) for names in (slot.labels, self._labels[slot.path]))
            raise UserError(
                f"decision {slot.path!r} has the options {inside} in the module and {given} in the space; give the space that "
                "was opened for the module"
            )
        if self.slots.setdefault(slot.path, slot) is not slot:
            raise UserError(
                f"the module reads decision {slot.path!r} through two slots, of which activate would set one; call opened(space) "
                "once and build all parts from its result"
            )

    def activate(self, arch: Mapping[str, int]) -> None:
        """Sets every decision that `arch` settles; the module then runs that path alone.

        Raises:
            UserError: the space has no such decision or option. Nothing is set then.
        """
        if not isinstance(arch, Mapping):
            raise UserError(f"activate takes an architecture, decision path -> number of an option, not {arch!r:.80}")
        for path, option in arch.items():
            if not hasattr(option, "__index__") or not 0 <= option < self._options.get(path, 0):
                self._refuse(path, option)
        slots = self.slots
        for path, option in arch.items():
            if path in slots:  # a decision that no module reads (an input resolution, say) is the caller's
                slot = slots[path]
                slot.active = option
                slot.mixed = None

    def _refuse(self, path: str, option: object) -> NoReturn:
        if path in self._options:
            raise UserError(f"decision {path!r} has options 0 to {self._options[path] - 1}, not {option!r:.80}")
        near = get_close_matches(str(path), self._options, 1, 0.7)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(self._options) or 'none'}"
        raise UserError(f"the space has no decision {path!r}; {hint}")

    def relax(self, mixed: Mapping[str, Mixed], recompute: bool = False) -> None:
        """Mixes the options of the decisions named; they then run as weighted sums until `activate` settles them.

        The continuous relaxation of DARTS (Liu et al. 2019, https://arxiv.org/abs/1806.09055, equation 2).

        Args:
            mixed: decision path -> one weight per option of a `OneOf`, per member of a `ManyOf`; gradients flow into the weights.
            recompute: run every option again in the backward pass instead of keeping what it saves: the memory of a step is that
                of one option at a time, for one more forward pass (two where mixed decisions hold mixed decisions). Values and
                gradients are the same bit for bit; BatchNorm statistics are updated once and dropout repeats.

        Raises:
            UserError: an unknown decision, a wrong number of weights, no live option or one that does not exist, or a decision
                that is not in `relaxable` and has several live options, or is not in `sampled`. Nothing is mixed then.
        """
        for path, mixture in mixed.items():
            self._check(path, mixture)
        for path, mixture in mixed.items():
            slot = self.slots[path]
            slot.mixed, slot.recompute = mixture, recompute
            if mixture.live is not None and len(mixture.live) == 1 and not slot.many:
                slot.active = mixture.live[0]  # what modules that cannot mix the decision run
                if not mixture.weights.requires_grad and float(mixture.weights[slot.active]) == 1:
                    slot.mixed = None  # the option itself: a product with 1 that nothing learns from

    def _check(self, path: str, mixture: Mixed) -> None:
        if path not in self.slots:
            raise UserError(f"no module of this supernet reads decision {path!r}; it has {', '.join(self.slots)}")
        one = mixture.live is not None and len(mixture.live) == 1 and path in self.sampled
        if path not in self.relaxable and not one:
            instead = "sample one option at a time" if path in self.sampled else "activate its options instead"
            raise UserError(
                f"decision {path!r} sets a width, a kernel or a depth, or is read together with others or to concatenate, and "
                f"cannot be relaxed to a weighted sum; {instead}"
            )
        n, kind = self._weights[path], "members" if self.slots[path].many else "options"
        if mixture.weights.dim() != 1:
            raise UserError(f"the weights of decision {path!r} have shape {tuple(mixture.weights.shape)}, not ({n},)")
        if len(mixture.weights) != n:
            raise UserError(f"decision {path!r} has {n} {kind}, not {len(mixture.weights)}: give a weight for each")
        if mixture.live is not None:
            if not mixture.live and path in self._whole:
                raise UserError(f"none of the {n} {kind} of decision {path!r} is live: keep one at least")
            if odd := [i for i in mixture.live if not 0 <= i < n or mixture.live.count(i) > 1]:
                raise UserError(f"decision {path!r} has {kind} 0 to {n - 1}; live {odd[0]} is not one of them, or named twice")

    def forget(self) -> None:
        """Elastic layers forget the regions that were used since the last step of the weights: in a step of the logits, say."""
        for layer in self._elastic:
            layer.seen.clear()

    def active_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Name and value of every parameter on the active path (whole tensors, also where only a slice is active).

        Of a mixed decision, every live option is active.
        """
        seen: set[int] = set()

        def walk(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Parameter]]:
            for name, parameter in module.named_parameters(prefix=prefix, recurse=False):
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield name, parameter
            parts = module.branches() if isinstance(module, Deciding) else ((n, c, True) for n, c in module.named_children())
            for name, child, active in parts:
                if active:
                    yield from walk(child, f"{prefix}.{name}" if prefix else name)

        yield from walk(self.module, "")

    def extract(self, arch: Mapping[str, int], build: Callable[[Any], nn.Module]) -> nn.Module:
        """The standalone network of `arch` with the shared weights: `build(settled description)`, filled with slices.

        Raises:
            UserError: `build` names its parts differently for open and settled descriptions, or makes them larger when settled.
        """
        network = build(decode(self.space, arch))
        shared, target = self.settled(arch).state_dict(), network.state_dict()
        if shared.keys() != target.keys():
            odd = sorted(shared.keys() ^ target.keys())[0]
            raise UserError(f"the build function names its parts differently when settled: {odd!r} exists in one of them only")
        for name, value in shared.items():
            if value.dim() != target[name].dim() or any(map(gt, target[name].shape, value.shape)):
                raise UserError(
                    f"the build function makes {name!r} of shape {tuple(target[name].shape)} when settled, which is no part of "
                    f"{tuple(value.shape)} in the supernet; it must make the same layers of open values as of fixed ones"
                )
        network.load_state_dict({name: _leading(value, target[name].shape) for name, value in shared.items()})
        return network.train(self.module.training)

    def settled(self, arch: Mapping[str, int]) -> nn.Module:
        """A shell of the module in which every deciding part is the option of `arch`; weights are shared, as wide as they are."""
        before = [(slot, slot.active, slot.mixed) for slot in self.slots.values()]
        self.activate(arch)
        try:
            return settled(self.module)
        finally:
            for slot, active, mixed in before:
                slot.active, slot.mixed = active, mixed

    @contextmanager
    def idle_protected(self, optimizer: torch.optim.Optimizer, within: nn.Module | None = None) -> Iterator[None]:
        """Around `optimizer.step()`: weights outside the regions used since the last step stay bit for bit as they were.

        Elastic layers of a module `within` which the supernet is trained (a head of its own for the training) are kept as well.

        Whole idle modules need no guard (their gradient is None, which optimisers skip); slices of elastic layers do, since
        momentum and weight decay act on whole tensors. The optimiser is shown the regions used alone, and what it keeps of them.
        """
        used: dict[int, tuple[nn.Parameter, list[Region]]] = {}  # of parameters that layers share, by any of the layers
        for layer in self._elastic if within is None else elastic_layers(within):
            seen, layer.seen = layer.seen, set()
            for name, parameter in layer._parameters.items() if seen else ():
                if parameter is not None and parameter.grad is not None:
                    used.setdefault(id(parameter), (parameter, []))[1].extend(layer.regions(name, region) for region in seen)
        narrowed = [
            Narrowed(parameter, boxes, optimizer)
            for parameter, boxes in used.values()
            if not any(covers(parameter.shape, box) for box in boxes)
        ]
        try:
            yield
        finally:
            with torch.no_grad():
                for part in narrowed:
                    part.widen()


def settled(module: nn.Module) -> nn.Module:
    """A shell of `module` in which every deciding part is its active option; the weights are shared, not copied."""
    while isinstance(module, Deciding) and (plain := module.plain()) is not module:
        module = plain
    shell = copy.copy(module)
    shell._modules = {name: None if child is None else settled(child) for name, child in module._modules.items()}
    return shell


def _leading(tensor: Tensor, shape: torch.Size) -> Tensor:
    return tensor[tuple(slice(n) for n in shape)] if tensor.dim() else tensor

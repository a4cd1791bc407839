"""Whether a build function keeps what searches rely on, tried on random architectures of its space."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from common.cost.conventions import Convention, contractions
from common.cost.count import UncountedWarning, count
from common.cost.price import Price
from common.errors import UserError
from common.space import Arch, decisions, decode, sample
from common.space.values import label
from common.streams import stream
from common.supernet.effects import used_in_part
from common.supernet.elastic import elastic_layers
from common.supernet.net import Supernet
from common.supernet.open import opened
from common.supernet.slicing import Slices

Build = Callable[[Any], nn.Module]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was tried, and held.

    Attributes:
        archs: Number of architectures that were tried.
        params: Fewest and most parameters among them.
        macs: Fewest and most multiply-adds among them.
    """

    archs: int
    params: tuple[int, int]
    macs: tuple[int, int]


def check(
    build: Build,
    space: Any,
    inputs: Sequence[Tensor],
    *,
    archs: int = 8,
    seed: int = 0,
    convention: Convention = contractions,
) -> Checked:
    """Tries a build function on random architectures; raises where one of five promises is broken.

    1. It is a function of its description: built twice from the same state of torch's generator, weights are the same.
    2. Every decision of the space is read by a module of the supernet.
    3. Extraction is exact: the extracted network gives the outputs of the active path bit for bit, and is plain torch.
    4. The price is the count: parameters and multiply-adds, from tables as from the built network.
    5. Idle weights are untouched: a training step changes no parameter, nor a part of one, outside of its path.

    Args:
        build: description -> module. The description is opened for the supernet, and has no decisions for a network.
        space: the description with open decisions.
        inputs: inputs of a network, a batch of two or more so that norms can train.
        archs: architectures that are tried; fewer where the space has fewer.
        seed: of the architectures and the weights.
        convention: what counts as a multiply-add.

    Raises:
        UserError: a promise is broken; names the decision or the parameter, and the remedy.

    >>> from common.space import OneOf
    >>> from common.supernet import linear
    >>> space = {"width": OneOf(3, 5)}
    >>> check(lambda net: nn.Sequential(linear(4, net["width"]), linear(net["width"], 2)), space, [torch.ones(2, 4)])
    Checked(archs=2, params=(23, 37), macs=(36, 60))
    """
    if not callable(build):
        raise UserError(f"build is a {type(build).__name__}; give a function, description -> module")
    if isinstance(inputs, Tensor):
        raise UserError(f"inputs is a tensor of shape {tuple(inputs.shape)}; give the list of a network's inputs: [tensor]")
    if odd := [x for x in inputs if not isinstance(x, Tensor)]:
        raise UserError(f"inputs holds a {type(odd[0]).__name__}; give the list of a network's inputs, tensors: [images]")
    if archs < 1:
        raise UserError(f"archs={archs}: give 1 or more")
    if not decisions(space):
        raise UserError("the space has no decision: open one, for instance width=OneOf(16, 32)")
    chosen = list(dict.fromkeys(sample(space, stream(seed, "check", i)) for i in range(4 * archs)))[:archs]
    for description in (opened(space), decode(space, chosen[0])):
        check_pure(build, description, seed, inputs)
    with _seeded(seed):
        net = _supernet(build, space)
        shapes = {arch: _check_extraction(net, build, arch, inputs) for arch in chosen}
        _check_slices(net, chosen, inputs)
        costs = _check_price(net, build, chosen, inputs, convention)
        _check_idle(net, shapes, inputs)
    params, macs = zip(*costs, strict=True)
    return Checked(archs=len(chosen), params=(min(params), max(params)), macs=(min(macs), max(macs)))


def _supernet(build: Build, space: Any) -> Supernet:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no module of the supernet reads")  # refused below
        net = Supernet(build(opened(space)), space)
    if net.unread:
        raise UserError(
            f"no module of the supernet reads decision {net.unread[0]!r}; read it in the build function, or leave it out"
        )
    for norm in net.module.modules():  # statistics that differ by channel, so that a wrong slice shows
        if isinstance(norm, nn.modules.batchnorm._BatchNorm) and norm.running_mean is not None and norm.running_var is not None:
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 2)
    return net


def check_pure(build: Build, description: Any, seed: int, inputs: Sequence[Tensor] | None = None) -> None:
    """Builds a network twice from the same state of torch's generator, and runs both in training mode from the same state.

    Args:
        build: description -> module.
        description: opened or fixed.
        seed: of the initial weights.
        inputs: of a network; None: the networks are not run.

    Raises:
        UserError: the two networks differ, give other outputs, or share memory.
    """
    networks = []
    for _ in range(2):
        with _seeded(seed):
            networks.append(_built(build, description))
    one, other = (network.state_dict() for network in networks)
    if one.keys() != other.keys():
        odd = f"{sorted(one.keys() ^ other.keys())[0]!r} exists in one of them only"
    else:
        odd = next((f"{name!r} differs" for name in one if not _same(one[name], other[name])), "")
    if odd:
        raise UserError(
            f"the build function makes two networks of one description: {odd}; read the description alone, and take random "
            "numbers from torch's generator"
        )
    if odd := [name for name in one if one[name].numel() and _storage(one[name]) == _storage(other[name])]:
        raise UserError(
            f"the build function gives {odd[0]!r} to every network that it builds, so that they would train each other; make "
            "every layer inside of the function, or put a copy.deepcopy of it there"
        )
    outputs = []
    for network in networks if inputs is not None else ():
        with _seeded(seed):
            outputs.append(outputs_of(network.train(), inputs or ()))
    if outputs and not _equal(*outputs):
        raise UserError(
            "two networks of one description give other outputs in training, from the same state of torch's generator; read the "
            "description alone, and take random numbers from torch's generator, when a network is built and when it runs"
        )


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


def _built(build: Build, description: Any) -> nn.Module:
    try:
        module = build(description)
        if not isinstance(module, nn.Module):
            kind = "None" if module is None else f"a {type(module).__name__}"
            raise UserError(f"build gave {kind}, which is no torch.nn.Module; return the network")
        return module
    except (TypeError, AttributeError) as error:
        if "Open" not in str(error):
            raise
        said = str(error).splitlines()[0]
        raise UserError(
            f"the build function hands an open value to something that takes fixed ones ({said}); make layers with linear, "
            "conv2d, batch_norm, ... of common.supernet, and others with choose"
        ) from error


def _check_extraction(net: Supernet, build: Build, arch: Arch, inputs: Sequence[Tensor]) -> dict[str, torch.Size]:
    """The shapes of the parameters of the network of an architecture."""
    network = build(decode(net.space, arch))
    for part in network.modules():
        if type(part).__module__.startswith("common.supernet"):
            kind = type(part).__name__
            raise UserError(f"{_said(net.space, arch)}: the network keeps a part of supernets, {kind}; build it of fixed values")
    net.module.eval()
    net.activate(arch)
    net.extract(arch, lambda _: network)
    shared, alone = net.settled(arch), _unguarded(net.module)
    sizes = shared.state_dict()
    for name, tensor in network.state_dict().items():
        if tensor.shape != sizes[name].shape and _storage(sizes[name]) in alone:
            raise UserError(_sliced(shared, name))
    outputs = [outputs_of(module, inputs) for module in (net.module, network)]
    if not _equal(*outputs):
        if not _equal(outputs[1], outputs_of(network, inputs)):
            raise UserError(
                "the network gives other outputs for the same inputs in eval mode; draw random numbers in training only"
            )
        raise UserError(
            f"{_said(net.space, arch)}: the extracted network gives other outputs than its path in the supernet; the build "
            "function must make the same layers of open values as of fixed ones, without asking which it has, and every layer "
            "must be an attribute of a module or in an nn.ModuleList"
        )
    return {name: parameter.shape for name, parameter in network.named_parameters()}


def outputs_of(network: nn.Module, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The tensors that a network gives for some inputs, without gradients.

    Raises:
        UserError: it cannot take them.
    """
    try:
        with torch.no_grad():
            return list(_tensors(network(*inputs)))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        given = ", ".join(f"{str(x.dtype).removeprefix('torch.')} {tuple(x.shape)}" for x in inputs)
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"the network does not run on inputs of {given}: {said:.300}; give inputs that it takes") from error


def _equal(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def _check_slices(net: Supernet, archs: Sequence[Arch], inputs: Sequence[Tensor]) -> None:
    """Refuses parameters without a guard of which architectures use parts of different sizes."""
    alone = _unguarded(net.module)
    slices = Slices({name: p for name, p in net.module.named_parameters() if _storage(p) in alone})
    taken: dict[str, set[frozenset[torch.Size]]] = {}
    for arch in archs:
        net.activate(arch)
        slices.taken = {}
        with slices:
            outputs_of(net.module, inputs)
        for name, sizes in slices.taken.items():
            taken.setdefault(name, set()).add(frozenset(sizes))
    if odd := [name for name, sizes in taken.items() if len(sizes) > 1]:
        raise UserError(_sliced(net.module, odd[0]))
    for name in used_in_part(net, _own(net.module), archs, inputs):
        raise UserError(_sliced(net.module, name))


def _own(module: nn.Module) -> list[str]:
    """Parameters of classes that are not torch's, which no elastic layer owns: torch's layers use all of theirs."""
    alone = _unguarded(module)
    return [
        name
        for name, parameter in module.named_parameters()
        if _storage(parameter) in alone
        and not type(module.get_submodule(name.rpartition(".")[0])).__module__.startswith("torch.")
    ]


def _sliced(module: nn.Module, name: str) -> str:
    owner = type(module.get_submodule(name.rpartition(".")[0])).__name__
    return (
        f"{owner} takes a part of its parameter {name!r} itself, so that momentum and weight decay change the idle part in every "
        "step; make it parameter((...), init=...) of common.supernet, and call that in the forward pass"
    )


def _unguarded(module: nn.Module) -> set[int]:
    """Where the parameters lie that no elastic layer owns: nothing guards their idle parts."""
    guarded = {_storage(p) for part in elastic_layers(module) for p in part.parameters()}
    return {_storage(p) for p in module.parameters()} - guarded


def _storage(tensor: Tensor) -> int:
    """Where the memory begins that a tensor lies in, or a view of it."""
    return tensor.untyped_storage().data_ptr()


def _check_price(
    net: Supernet, build: Build, archs: Sequence[Arch], inputs: Sequence[Tensor], convention: Convention
) -> list[tuple[int, int]]:
    price = Price(net.module, inputs, net.space, convention=convention)
    costs = []
    for arch in archs:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore", UncountedWarning)  # the price named the operations
            counted = count(build(decode(net.space, arch)), [x.to("meta") for x in inputs], convention=convention)
        if price.price(arch) != counted.costs:
            raise UserError(
                f"{_said(net.space, arch)}: {counted.params} parameters and {counted.macs} multiply-adds by count, but "
                f"{price.price(arch)} by the supernet's table; the build function must make the same layers of open values as of "
                "fixed ones"
            )
        costs.append((counted.params, counted.macs))
    return costs


def _check_idle(net: Supernet, shapes: Mapping[Arch, Mapping[str, torch.Size]], inputs: Sequence[Tensor]) -> None:
    if not any(parameter.requires_grad for parameter in net.module.parameters()):
        raise UserError("no parameter of the supernet is trainable; unfreeze some, or there is nothing to train")
    net.module.train()
    optimizer = torch.optim.SGD(net.module.parameters(), lr=1e-3, momentum=0.9, weight_decay=0.1)

    def step(arch: Arch) -> None:
        net.activate(arch)
        optimizer.zero_grad(set_to_none=True)
        torch.stack([x.square().mean() for x in _tensors(net.module(*inputs))]).sum().backward()
        with net.idle_protected(optimizer):
            optimizer.step()

    for arch in shapes:  # every part has momentum now
        step(arch)
    for arch in shapes:
        used = used_parts(net, arch, shapes[arch])
        before = {name: parameter.detach().clone() for name, parameter in net.module.named_parameters()}
        step(arch)
        for name, parameter in net.module.named_parameters():
            if ((parameter != before[name]) & ~used[name]).any():
                raise UserError(f"{_said(net.space, arch)}: a step changes {name!r} outside of the part that its path uses")


def used_parts(net: Supernet, arch: Arch, shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    """For each parameter of the supernet, which of its numbers the network of an architecture is made of.

    Args:
        net: the supernet.
        arch: of the network.
        shapes: name of a parameter of the network -> its shape.

    Returns:
        Name of a parameter of the supernet -> True where the network has the number; shape and strides of the parameter.
    """
    parts: dict[int, list[tuple[Tensor, torch.Size]]] = {}  # views of the supernet's parameters, by the memory that they lie in
    for name, part in net.settled(arch).state_dict().items():
        if name in shapes:
            parts.setdefault(_storage(part), []).append((part, shapes[name]))
    used = {}
    for name, parameter in net.module.named_parameters():
        used[name] = torch.zeros_like(parameter, dtype=torch.bool)  # strides and device of the parameter: `part` is a view of it
        for part, shape in parts.get(_storage(parameter), []):
            offset = part.storage_offset() - parameter.storage_offset()
            used[name].as_strided(shape, part.stride(), offset).fill_(True)  # the leading part, as `extract` takes it
    return used


def _said(space: Any, arch: Arch) -> str:
    known = decisions(space)
    return "architecture " + ", ".join(f"{path}={label(known[path], option)}" for path, option in arch.items())


def _tensors(out: Any) -> Iterator[Tensor]:
    """The tensors of a network's output: itself, or those in tuples, lists and dictionaries."""
    if isinstance(out, Tensor):
        yield out
    elif isinstance(out, Mapping):
        yield from (tensor for part in out.values() for tensor in _tensors(part))
    elif isinstance(out, tuple | list):
        yield from (tensor for part in out for tensor in _tensors(part))
    else:
        raise UserError(f"a network gives a {type(out).__name__}; give a tensor, or tuples, lists and dictionaries of tensors")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Torch's generator begins with a seed, and is put back afterwards."""
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        yield

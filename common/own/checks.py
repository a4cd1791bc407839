"""What is tried before a run of an own network begins, so that hours of work are not spent on a mistake of its functions."""

from __future__ import annotations

import ast
import inspect
import math
import pickle
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from common.errors import UserError
from common.own.network import OwnNetwork, seeded
from common.space import decisions, decode
from common.supernet import check
from common.supernet.checking import check_pure, outputs_of

CHECKED = 3
"""Architectures that the build function is tried on."""


def check_arguments(
    build: object, space: Any, evaluate: object, train_step: object, inputs: Any, test: object, weights: object
) -> None:
    """Refuses arguments of the wrong kind.

    Raises:
        UserError: names the argument.
    """
    for name, function in (("build", build), ("evaluate", evaluate), ("train_step", train_step), ("test", test)):
        optional = name in ("train_step", "test")
        if not callable(function) and not (optional and function is None):
            raise UserError(f"{name} is a {type(function).__name__}; give a function{' or None' if optional else ''}")
    for name, function, values in (
        ("build", build, 1), ("evaluate", evaluate, 1), ("train_step", train_step, 2), ("test", test, 1),
    ):  # fmt: skip
        _check_signature(name, function, values)
    if isinstance(inputs, Tensor):
        raise UserError(f"inputs is a tensor of shape {tuple(inputs.shape)}; give the list of a network's inputs: [tensor]")
    if not isinstance(inputs, Sequence) or not inputs or not all(isinstance(x, Tensor) for x in inputs):
        raise UserError("inputs: give the list of a network's inputs, tensors, of one item each: [images[:1]]")
    if isinstance(space, type):
        raise UserError(f"space is the class {space.__name__}; give a description, {space.__name__}() say")
    if empty := [x for x in inputs if not x.numel()]:
        raise UserError(f"inputs has an empty tensor of shape {tuple(empty[0].shape)}; give one item: [images[:1]]")
    if weights is not None and not (isinstance(weights, Mapping) and all(isinstance(x, Tensor) for x in weights.values())):
        raise UserError(f"weights is a {type(weights).__name__}; give a state dict, name -> tensor: model.state_dict()")
    if not decisions(space):
        raise UserError("the space has no decision: open one, for instance width=OneOf(16, 32)")


def _check_signature(name: str, function: object, values: int) -> None:
    """Refuses a function that cannot be called with so many values; one whose signature is unknown passes."""
    if not callable(function):
        return
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*range(values))
    except TypeError:
        wanted = {"build": "net", "train_step": "network, step"}.get(name, "network")
        raise UserError(f"{name}{signature} cannot be called as {name}({wanted}); give a function of these arguments") from None


def check_network(own: OwnNetwork, *, shared: bool, device: str, seed: int) -> None:
    """Tries the user's functions on the baseline, before it is trained.

    The build function must be a function of its description, the train step and `evaluate` of the network and of torch's
    generator: otherwise a run that was killed and resumed would give other results.

    Args:
        own: the user's functions.
        shared: whether the run builds a supernet.
        device: where networks are trained.
        seed: of the run.

    Raises:
        UserError: a function breaks the rule, or gives what it may not.
    """
    if shared:
        several = [torch.cat([x, x]) if x.dim() and x.shape[0] == 1 else x for x in own.inputs]  # norms train on two or more
        check(own.build, own.space, several, archs=CHECKED, seed=seed)
    else:
        check_pure(own.build, decode(own.space, own.baseline), seed)
        outputs_of(own.built(decode(own.space, own.baseline), seed).eval(), own.inputs)
    if own.weights is not None:
        own.supernet(seed)  # refuses weights that do not fit
    if own.train_step is None:
        return  # trying `evaluate` would train a network in full
    network = own.built(decode(own.space, own.baseline), seed).to(device)
    _check_step(own, network, seed)
    for test in (False, True) if own.test is not None else (False,):
        _check_scores(own, network, seed, test=test)


def _check_step(own: OwnNetwork, network: nn.Module, seed: int) -> None:
    losses = []
    network.train()
    before = {name: value.clone() for name, value in network.named_parameters()}
    for _ in range(2):
        with seeded(seed, network):
            losses.append(own.loss(network, 0))
    if odd := [name for name, value in network.named_parameters() if not torch.equal(value, before[name])]:
        raise UserError(
            f"train_step changes {odd[0]!r}: it must return the loss alone; the optimiser's step is taken outside of it"
        )
    if odd := [name for name, value in network.named_parameters() if value.grad is not None]:
        raise UserError(
            f"train_step left a gradient at {odd[0]!r}: it must return the loss alone, without backward(), which follows"
        )
    if not losses[0].requires_grad:
        raise UserError(
            "train_step gave a loss without gradient; compute it from the network's outputs, without no_grad or detach"
        )
    one, other = (float(loss.detach()) for loss in losses)
    if not math.isfinite(one):
        raise UserError(f"train_step gave the loss {one} before any training; a loss must be finite: look at its batch")
    if not _equal(one, other):
        raise UserError(
            f"train_step gave the losses {one:.6g} and {other:.6g} for the same network and step 0; choose its batch by the "
            "number of the step, or by torch's generator (torch.randint), or a resumed run would give other results"
        )
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if trained and all(gradient is None for gradient in torch.autograd.grad(losses[0], trained, allow_unused=True)):
        raise UserError("the loss of train_step does not depend on the network's weights; compute it from the network's outputs")


def _check_scores(own: OwnNetwork, network: nn.Module, seed: int, *, test: bool) -> None:
    name = "test" if test else "evaluate"
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = [own.scored(network, test=test, seed=seed) for _ in range(2)]
    if odd := [key for key, value in network.state_dict().items() if not torch.equal(value, before[key])]:
        raise UserError(
            f"{name} changes {odd[0]!r} of the network; it must only look, in eval mode (without train_step it may train)"
        )
    for score, value in found[0].items():
        if not math.isfinite(value):
            raise UserError(
                f"{name} gave {score}={value} for a network before training; a score must be a finite number, or no candidate "
                "can be compared"
            )
        if not _equal(value, found[1].get(score, float("nan"))):
            raise UserError(
                f"{name} gave {score}={value:.6g} and then {found[1].get(score)} for the same network; evaluate on the same "
                "items every time, or choose them by torch's generator"
            )


def _equal(one: float, other: float) -> bool:
    """Equal up to what a GPU's order of additions changes."""
    return abs(one - other) <= 1e-5 * max(1.0, abs(one))


def check_workers(own: OwnNetwork, workers: int) -> None:
    """Refuses worker processes that could not be given the user's functions.

    Raises:
        UserError: a function has no place in a module, or the script would start again in each worker.
    """
    if workers < 0:
        raise UserError(f"workers={workers}: give 0 (this process alone) or more")
    if not workers:
        return
    for name, function in (("build", own.build), ("evaluate", own.evaluate), ("train_step", own.train_step), ("test", own.test)):
        try:
            pickle.dumps(function)
        except (pickle.PicklingError, AttributeError, TypeError):
            raise UserError(
                f"workers={workers}: {name} cannot be given to another process; define it at the top level of a file, or give "
                "workers=0"
            ) from None
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    functions = [function for function in (own.build, own.evaluate, own.train_step, own.test) if function is not None]
    inside = any(getattr(function, "__module__", "") == "__main__" for function in functions)
    if main is None:
        if inside:
            raise UserError(
                f"workers={workers}: worker processes cannot read functions of a session; move them to a file, or give workers=0"
            )
    elif not _guarded(Path(main)):
        raise UserError(
            f'workers={workers}: {main} would start again in every worker; put the call below if __name__ == "__main__":, or '
            "give workers=0"
        )


def _guarded(script: Path) -> bool:
    """Whether a script does something only when it is the program; true of what is no Python file."""
    try:
        tree = ast.parse(script.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return True
    return any(isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) for node in tree.body)

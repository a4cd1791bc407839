"""A user's own network, and what its functions give: each is checked, since they come from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from common.errors import UserError
from common.streams import seed_layers
from common.supernet import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from common.objective import Objective
    from common.space import Arch

Build = Callable[[Any], nn.Module]
"""Description -> module."""
Evaluate = Callable[[nn.Module], float | Mapping[str, float]]
"""Network -> its score, or scores by name."""
TrainStep = Callable[[nn.Module, int], Tensor]
"""(network, number of the step) -> the loss, a scalar."""

COSTS = ("params", "macs")
"""What is known of a network without evaluating it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnNetwork:
    """What a user gives to `common.own.search.search_network`, which documents it.

    Attributes:
        build: description -> module.
        space: the description with open decisions.
        evaluate: network -> scores on validation data.
        inputs: inputs of a network.
        train_step: (network, step) -> loss; None where `evaluate` trains the network.
        test: network -> scores on test data; None where there are none.
        objectives: what is searched for.
        baseline: the architecture that a search has to beat.
        weights: state of the widest network that the supernet begins with; None begins anew.
    """

    build: Build
    space: Any
    evaluate: Evaluate
    inputs: tuple[Tensor, ...]
    train_step: TrainStep | None
    test: Evaluate | None
    objectives: tuple[Objective, ...]
    baseline: Arch
    weights: Mapping[str, Tensor] | None = None

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores that `evaluate` has to give."""
        return tuple(objective.name for objective in self.objectives if objective.name not in COSTS)

    def built(self, description: Any, seed: int) -> nn.Module:
        """The module of a description; its initial weights are a function of the seed.

        Raises:
            UserError: `build` gives no module.
        """
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(seed)
            module = self.build(description)
        if not isinstance(module, nn.Module):
            raise UserError(f"build gave {_kind(module)}, which is no torch.nn.Module; return the network")
        return module

    def supernet(self, seed: int) -> nn.Module:
        """The network with every decision open; it begins with `weights`, if there are some.

        Raises:
            UserError: they are not those of the widest network.
        """
        module = self.built(opened(self.space), seed)
        if self.weights is not None:
            load_strictly(module, self.weights)
        return module

    def loss(self, network: nn.Module, step: int) -> Tensor:
        """What `train_step` gives.

        Raises:
            UserError: it is no loss.
        """
        assert self.train_step is not None
        return checked_loss(self.train_step(network, step))

    def scored(self, network: nn.Module, *, test: bool, seed: int) -> dict[str, float]:
        """What `evaluate` (or `test`) gives for a network; torch's generators begin with `seed` and are put back.

        Where there is no train step, `evaluate` trains the network: it gets the network in training mode, with gradients on.

        Raises:
            UserError: it gives no scores.
        """
        trains = self.train_step is None and not test
        function, name = (self.test, "test") if test and self.test is not None else (self.evaluate, "evaluate")
        network.train(trains)
        with seeded(seed, network), torch.set_grad_enabled(trains):
            found = function(network)
        network.eval()
        return checked_scores(found, self.scores, name)


def load_strictly(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Loads weights that have exactly the names and shapes of a module's own.

    Raises:
        UserError: names the first parameter or buffer that does not fit.
    """
    own = module.state_dict()
    if odd := [name for name in (*own, *weights) if name not in weights or name not in own]:
        where = "the supernet" if odd[0] in own else "weights"
        raise UserError(
            f"weights: {odd[0]!r} is in {where} alone; give the state_dict() of the widest network, with the same names"
        )
    if odd := [name for name in own if own[name].shape != weights[name].shape]:
        shapes = f"{tuple(weights[odd[0]].shape)}, and {tuple(own[odd[0]].shape)} in the supernet"
        raise UserError(f"weights: {odd[0]!r} has shape {shapes}; give the state_dict() of the widest network")
    module.load_state_dict(dict(weights))


@contextmanager
def seeded(seed: int, network: nn.Module) -> Iterator[None]:
    """In the block torch's generators, that of the network's device among them, begin with a seed; they are put back."""
    device = device_of(network)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        seed_layers(seed, device)
        yield


def device_of(network: nn.Module) -> torch.device:
    """Where a network's weights lie; the CPU if it has none."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))


def checked_loss(found: object) -> Tensor:
    """The loss that a train step gives.

    Raises:
        UserError: it is no scalar with a gradient.
    """
    rule = "return the loss as a tensor of one number; its gradient is taken, and the optimiser steps, outside of train_step"
    if not isinstance(found, Tensor):
        raise UserError(f"train_step gave {_kind(found)}; {rule}")
    if found.numel() != 1 or not found.is_floating_point():
        raise UserError(f"train_step gave a tensor of shape {tuple(found.shape)} and {found.dtype}; {rule}")
    return found.reshape(())


def checked_scores(found: object, names: Sequence[str], function: str) -> dict[str, float]:
    """The scores that `evaluate` or `test` gives, by name.

    Raises:
        UserError: they are no numbers, or lack an objective.
    """
    wanted = ", ".join(names)
    rule = f"return a number, or a dictionary of numbers by name with {wanted}"
    if isinstance(found, Mapping):
        scores = {str(name): _number(value, f"{function} gave {name}={value!r:.60}; {rule}") for name, value in found.items()}
    elif len(names) == 1:
        scores = {names[0]: _number(found, f"{function} gave {_kind(found)} for one network; {rule}")}
    else:
        raise UserError(f"{function} gave {_kind(found)}; the objectives are {wanted}: {rule}")
    if odd := [name for name in COSTS if name in scores]:
        raise UserError(f"{function} gave a score {odd[0]!r}, the name of a cost that is counted; give the score another name")
    if lacking := [name for name in names if name not in scores]:
        raise UserError(f"{function} gave no score {lacking[0]!r}, only {', '.join(scores) or 'none'}; {rule}")
    return scores


def _number(value: object, refusal: str) -> float:
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value.detach())
    if isinstance(value, Real):
        return float(value)
    raise UserError(refusal)


def _kind(value: object) -> str:
    """A value as a message names it: `None`, or its type and how many it holds."""
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    size = f" of {len(value)}" if isinstance(value, list | tuple | dict) else ""
    return f"a {type(value).__name__}{size}"

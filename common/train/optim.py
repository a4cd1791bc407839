"""Optimisers from settings. No torch at module level: recipes hold these settings and `--help` must answer at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from common.errors import UserError
from common.train.schedules import Schedule, constant, cosine, linear, one_cycle, step_decay

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer
    from torch.optim.swa_utils import AveragedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimSettings:
    """How weights are updated."""

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    """Optimiser; Adam adds the decay to the gradient, AdamW takes it off the weights."""
    lr: float = 0.1
    """Base learning rate; the schedule multiplies it."""
    momentum: float = 0.9
    """Momentum of SGD; the first beta of Adam and AdamW."""
    weight_decay: float = 4e-5
    """Decay of weights with more than one dimension; biases and norms are never decayed."""
    schedule: Literal["constant", "cosine", "linear", "one-cycle", "step"] = "cosine"
    """Learning rate over training."""
    warmup: float = 0.0
    """Fraction of training over which the rate climbs (not with one-cycle, which has its own)."""
    drops: tuple[float, ...] = (8 / 12, 11 / 12)
    """Fractions of training at which the step schedule drops the rate to a tenth."""
    hold: float = 0.0
    """Fraction of training at which the linear schedule (no other has one) begins to fall; after the warm-up."""
    floor: float = 0.0
    """Where the cosine and the linear schedule end, as a fraction of the rate."""
    clip: float | None = None
    """Largest gradient norm; nothing is clipped by default."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        rules = (
            (self.lr > 0, "lr", "above 0"),
            (0 <= self.momentum < 1, "momentum", "from 0 to below 1"),
            (self.weight_decay >= 0, "weight_decay", "0 or more"),
            (0 <= self.floor < 1, "floor", "from 0 to below 1"),
            (0 <= self.hold < 1, "hold", "from 0 to below 1"),
            (self.clip is None or self.clip > 0, "clip", "above 0, or none"),
        )
        for holds, field, rule in rules:
            if not holds:
                raise UserError(f"{field} is {getattr(self, field)}; give a number {rule}")
        if self.hold and (self.schedule != "linear" or self.hold < self.warmup):
            raise UserError(
                f"hold is {self.hold} with schedule {self.schedule!r}, warmup {self.warmup}; give it to linear, after the warm-up"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchSettings:
    """How the logits learn; the defaults are those of DARTS (1806.09055, section 3.1)."""

    lr: float = 3e-4
    """Learning rate of Adam."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Its decay rates."""
    weight_decay: float = 1e-3
    """Its L2 penalty."""
    clip: float | None = None
    """Largest norm of their gradient; no limit by default."""
    every: int = 1
    """Steps of the weights for one of the architecture."""
    begin: float = 0.0
    """Share of the steps in which weights alone are trained, in [0, 1)."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        rules = (
            (self.lr > 0, "lr", "above 0"),
            (all(0 <= beta < 1 for beta in self.betas), "betas", "from 0 to below 1"),
            (self.weight_decay >= 0, "weight_decay", "0 or more"),
            (self.clip is None or self.clip > 0, "clip", "above 0, or none"),
            (self.every >= 1, "every", "1 or more"),
            (0 <= self.begin < 1, "begin", "from 0 to below 1"),
        )
        for holds, name, rule in rules:
            if not holds:
                raise UserError(f"arch.{name}={getattr(self, name)}: give a number {rule}")


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups of the trainable parameters: those with more than one dimension, decayed, and the rest, not.

    As DetNAS and SPOS do it: biases, norm weights and other vectors are not decayed.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    decayed = {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay}
    rest = {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0}
    return [group for group in (decayed, rest) if group["params"]]


def make_optimizer(module: nn.Module, settings: OptimSettings) -> Optimizer:
    """The optimiser of `settings` over the trainable parameters of `module`; Adam is fused: a tenth of a small network's step.

    Raises:
        UserError: nothing in `module` is trainable.
    """
    from torch.optim import SGD, Adam, AdamW

    groups = parameter_groups(module, settings.weight_decay)
    if not groups:
        raise UserError(f"{type(module).__name__} has no trainable parameter; unfreeze some of it")
    if settings.name != "sgd":
        kind = Adam if settings.name == "adam" else AdamW
        return kind(groups, lr=settings.lr, betas=(settings.momentum, 0.999), fused=True)
    # fused SGD fails where a parameter gets its first gradient after others have: every path of a supernet that is new
    return SGD(groups, lr=settings.lr, momentum=settings.momentum)


def make_schedule(settings: OptimSettings) -> Schedule:
    """The schedule of `settings`.

    Raises:
        UserError: the warm-up or the drops are no fractions of training.
    """
    match settings.schedule:
        case "constant":
            return constant(warmup=settings.warmup)
        case "cosine":
            return cosine(warmup=settings.warmup, floor=settings.floor)
        case "linear":
            return linear(warmup=settings.warmup, floor=settings.floor, hold=settings.hold)
        case "one-cycle":
            return one_cycle()
        case "step":
            return step_decay(at=settings.drops, warmup=settings.warmup)


def averaged(module: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of the weights of `module`; `fit` updates it. Its `.module` is the averaged network.

    After n updates the next one keeps min(`decay`, (1 + n) / (10 + n)) of the average, so that a short training is not an average
    of initial weights (TensorFlow's `ExponentialMovingAverage` with `num_updates`, as in the official code of EfficientDet).
    Buffers are copied, not averaged: BatchNorm statistics are moving averages already.
    """
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    def blend(averages: Any, weights: Any, updates: Any) -> None:
        n = int(updates)
        get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))(averages, weights, updates)

    return AveragedModel(module, multi_avg_fn=blend)

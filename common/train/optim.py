"""Optimisers from settings. No torch at module level: recipes hold these settings and `--help` must answer at once."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

from common.errors import UserError
from common.train.schedules import Schedule, constant, cosine, exponential, linear, one_cycle, step_decay

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from common.train.clip import Clip


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimSettings:
    """How weights are updated."""

    name: Literal["sgd", "adam", "adamw", "rmsprop"] = "sgd"
    """Optimiser; Adam and RMSProp add the decay to the gradient, AdamW takes it off the weights."""
    lr: float = 0.1
    """Base learning rate; the schedule multiplies it."""
    momentum: float = 0.9
    """Momentum of SGD and RMSProp; the first beta of Adam and AdamW."""
    nesterov: bool = False
    """Whether the momentum of SGD is Nesterov's."""
    smoothing: float = 0.9
    """What RMSProp keeps of the mean square gradient at a step."""
    eps: float | None = None
    """Added to the root of the mean square gradient by RMSProp and Adam. `None`: 1e-8. (TensorFlow's RMSProp, with the papers'
    1e-3, adds it below the root.)"""
    weight_decay: float = 4e-5
    """Weight decay."""
    decayed: Literal["matrices", "all"] = "matrices"
    """What is decayed: weights with more than one dimension (not biases and norms), or everything."""
    undecayed: tuple[str, ...] = ()
    """Patterns of parameters that are not decayed either: `*.norm.*` say, as `fnmatch` reads them."""
    schedule: Literal["constant", "cosine", "exponential", "linear", "one-cycle", "step"] = "cosine"
    """Learning rate over training."""
    warmup: float = 0.0
    """Fraction of training over which the rate climbs (not with one-cycle, which has its own)."""
    warm: float = 1e-3
    """Where the warm-up begins, as a fraction of the rate."""
    restarts: int = 0
    """How often the cosine begins again (SGDR)."""
    growth: float = 1.0
    """Length of a cycle of the cosine, in units of the one before."""
    factor: float = 0.97
    """What the exponential schedule leaves of the rate at each of its steps."""
    interval: float = 2.4 / 350
    """Fraction of training between two steps of the exponential schedule."""
    drops: tuple[float, ...] = (8 / 12, 11 / 12)
    """Fractions of training at which the step schedule drops the rate to a tenth."""
    hold: float = 0.0
    """Fraction of training at which the linear schedule (no other has one) begins to fall; after the warm-up."""
    floor: float = 0.0
    """Where the cosine and the linear schedule end, as a fraction of the rate."""
    clip: float | None = None
    """Largest gradient norm; nothing is clipped by default."""
    clip_each: bool = False
    """Whether each tensor's gradient is clipped on its own, instead of all together."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        rules = (
            (self.lr > 0, "lr", "above 0"),
            (0 <= self.momentum < 1, "momentum", "from 0 to below 1"),
            (0 <= self.smoothing < 1, "smoothing", "from 0 to below 1"),
            (self.eps is None or self.eps > 0, "eps", "above 0, or none"),
            (0 < self.warm <= 1, "warm", "above 0, at most 1"),
            (self.restarts >= 0, "restarts", "0 or more"),
            (self.growth > 0, "growth", "above 0"),
            (0 < self.factor <= 1, "factor", "above 0, at most 1"),
            (0 < self.interval <= 1, "interval", "above 0, at most 1"),
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
        if self.restarts and self.schedule != "cosine":
            raise UserError(f"restarts is {self.restarts} with schedule {self.schedule!r}; give it to cosine")
        if self.nesterov and (self.name != "sgd" or not self.momentum):
            raise UserError(f"nesterov with {self.name} and momentum {self.momentum}; give it to sgd with a momentum above 0")


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

    def learning(self, steps: int) -> range:
        """The steps of a search of so many in which the architecture learns."""
        first = ceil(self.begin * steps)
        return range(first + -first % self.every, steps, self.every)


def parameter_groups(module: nn.Module, settings: OptimSettings) -> list[dict[str, Any]]:
    """Two groups of the trainable parameters: those that are decayed, and the rest.

    By default biases, norm weights and other vectors are not decayed, as in DetNAS and SPOS.
    """
    decayed: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            apart = any(fnmatch(name, pattern) for pattern in settings.undecayed)
            decays = not apart and (parameter.ndim > 1 or settings.decayed == "all")
            (decayed if decays else rest).append(parameter)
    groups = ({"params": decayed, "weight_decay": settings.weight_decay}, {"params": rest, "weight_decay": 0.0})
    return [group for group in groups if group["params"]]


def make_optimizer(module: nn.Module, settings: OptimSettings) -> Optimizer:
    """The optimiser of `settings` over the trainable parameters of `module`; Adam is fused: a tenth of a small network's step.

    Raises:
        UserError: nothing in `module` is trainable, or a pattern of `undecayed` is of no parameter.
    """
    from torch.optim import SGD, Adam, AdamW, RMSprop

    groups = parameter_groups(module, settings)
    if not groups:
        raise UserError(f"{type(module).__name__} has no trainable parameter; unfreeze some of it")
    names = [name for name, _ in module.named_parameters()]
    if odd := [pattern for pattern in settings.undecayed if not any(fnmatch(name, pattern) for name in names)]:
        raise UserError(
            f"undecayed: {odd[0]!r} is no parameter of {type(module).__name__}; give a pattern of names such as {names[0]}"
        )
    eps = 1e-8 if settings.eps is None else settings.eps
    match settings.name:
        case "sgd":  # fused SGD fails where a parameter gets its first gradient after others have: every path of a new supernet
            return SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.nesterov)
        case "rmsprop":
            return RMSprop(groups, lr=settings.lr, alpha=settings.smoothing, eps=eps, momentum=settings.momentum)
        case "adam" | "adamw":
            kind = Adam if settings.name == "adam" else AdamW
            return kind(groups, lr=settings.lr, betas=(float(settings.momentum), 0.999), eps=eps, fused=True)


def make_clip(settings: OptimSettings) -> Clip | None:
    """How gradients are clipped, if they are."""
    from common.train.clip import Clip

    return None if settings.clip is None else Clip(norm=settings.clip, each=settings.clip_each)


def make_schedule(settings: OptimSettings) -> Schedule:
    """The schedule of `settings`.

    Raises:
        UserError: the warm-up or the drops are no fractions of training.
    """
    s = settings
    match s.schedule:
        case "constant":
            return constant(warmup=s.warmup, warm=s.warm)
        case "cosine":
            return cosine(warmup=s.warmup, warm=s.warm, floor=s.floor, restarts=s.restarts, growth=s.growth)
        case "exponential":
            return exponential(factor=s.factor, every=s.interval, warmup=s.warmup, warm=s.warm)
        case "linear":
            return linear(warmup=s.warmup, warm=s.warm, floor=s.floor, hold=s.hold)
        case "one-cycle":
            return one_cycle()
        case "step":
            return step_decay(at=s.drops, warmup=s.warmup, warm=s.warm)

"""The gradient by which architectures move: one rule with coefficients for one-level, DARTS, amended and mixed-level search.

With weights w, logits a, losses T (training) and V (validation), and L = train * T + val * V:

    gradient = grad_a L(w', a) - xi * (d2T/da dw) v - amended * (d2T/da dw) H v        v = grad_w L(w', a),  H = d2T/dw2

where w' is w after one step of the weights' optimiser at rate xi (w' = w if xi = 0) and all second derivatives are central
differences at w. Every published rule is a choice of coefficients: `ONE_LEVEL`, `FIRST_ORDER`, `SECOND_ORDER`, `AMENDED` and
`mixed_level`. What a coefficient of zero would multiply is not computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import SGD, Optimizer

from common.errors import UserError

Loss = Callable[[], Tensor]
"""Computes a scalar loss with the present values of weights and logits."""

RADIUS = 0.01
"""Length of the step, over all weights together, of a central difference: the 0.01 / ||v|| of DARTS (section 2.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Coefficients of the architecture gradient; the default is DARTS of first order."""

    train: float = 0.0
    """Weight of the training loss."""
    val: float = 1.0
    """Weight of the validation loss."""
    lookahead: float = 0.0
    """xi as a multiple of the weights' present learning rate: 0 takes gradients at the weights as they are, 1 after one step."""
    plain: bool = False
    """The look-ahead is a bare gradient step, without the optimiser's momentum and weight decay."""
    amended: float = 0.0
    """eta, the factor of the amended implicit term."""
    exact: bool = False
    """Products with second derivatives are taken by differentiating twice, not by central differences."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a coefficient is negative or not finite, both losses have weight 0, or two implicit terms are asked for.
        """
        for name in ("train", "val", "lookahead", "amended"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise UserError(f"{name} is {value}; give a finite number of 0 or more")
        if self.train == self.val == 0:
            raise UserError("train and val are both 0: nothing moves the architecture; give one a weight above 0")
        if self.lookahead and self.amended:
            raise UserError(
                f"lookahead is {self.lookahead} and amended is {self.amended}: both stand for the same term; set one to 0"
            )


ONE_LEVEL = Rule(train=1.0, val=0.0)
"""Weights and architecture both on training data: SNAS (1812.09926), GOLD-NAS (2007.03331).

They take the gradients of both from one backward pass, and so does `common.train.alternate`; asked for alone, the
architecture's is a pass of its own, with the same values.
"""

FIRST_ORDER = Rule()
"""DARTS of first order (1806.09055, section 2.3 with xi = 0), and PC-DARTS, P-DARTS, FairDARTS, GDAS."""

SECOND_ORDER = Rule(lookahead=1.0)
"""DARTS of second order (1806.09055, section 2.3), as in the authors' code: the inner step has momentum and decay."""

AMENDED = Rule(amended=0.1)
"""The amended gradient (1910.11831) with its eta = 0.1: the inverse Hessian of the exact term is replaced by eta * H.

DARTS replaces it by xi * identity. Neither estimate needs to have a non-negative inner product with the exact term: that
holds where the mixed derivative is square and orthogonal, not in general. It is meant for weights near their optimum.
"""


def mixed_level(balance: float = 1.0, lookahead: float = 0.0) -> Rule:
    """MiLeNAS (2003.12238): training gradient plus `balance` (the paper's lambda) times validation gradient.

    Args:
        balance: 0 is one-level, infinitely much is DARTS; the paper compares 0.1, 1 and 999. Its released code puts the factor
            on the training gradient instead; the two agree at 1.
        lookahead: 1 is the paper's second order, where both gradients are taken after a bare gradient step.

    Returns:
        The rule. The paper differentiates both losses' implicit terms on their own; a sum's is one central difference (two
        passes instead of four), equal up to the error of a central difference.
    """
    return Rule(train=1.0, val=balance, lookahead=lookahead, plain=lookahead != 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inner:
    """The step that the weights' optimiser would take now: w' = w - rate * (momentum * buffer + grad + decay * w)."""

    rate: float
    """Present learning rate."""
    momentum: float = 0.0
    """Share of the old buffer that is kept."""
    decay: Sequence[float] = ()
    """Weight decay of each weight; empty for none. One number each: biases and norms are mostly not decayed."""
    buffers: Sequence[Tensor | None] = ()
    """Momentum buffer of each weight, None where there is none yet; empty for none at all."""

    def direction(self, weights: Sequence[Tensor], slopes: Sequence[Tensor | None]) -> list[Tensor]:
        """What the step subtracts, over the rate.

        Args:
            weights: the weights.
            slopes: gradients of the training loss; a weight without one (None) stays where it is, as in torch.
        """
        moves = []
        for i, (weight, slope) in enumerate(zip(weights, slopes, strict=True)):
            if slope is None:
                moves.append(torch.zeros_like(weight, requires_grad=False))
                continue
            move = slope
            if self.decay and self.decay[i]:
                move = move.add(weight.detach(), alpha=self.decay[i])
            if self.momentum and self.buffers and (buffer := self.buffers[i]) is not None:
                move = move.add(buffer, alpha=self.momentum)
            moves.append(move)
        return moves


def inner_of(optimizer: Optimizer, weights: Sequence[Tensor]) -> Inner:
    """The step that `optimizer` would take on `weights` now, gradient clipping aside (DARTS' inner step is not clipped either).

    Args:
        optimizer: SGD, with or without momentum and weight decay; its buffers are not copied, so use the result at once.
        weights: parameters of the optimiser, all with one learning rate and momentum; decay may differ.

    Raises:
        UserError: another optimiser, Nesterov momentum, dampening or maximising, rates that differ, or a weight it has not.
    """
    if type(optimizer) is not SGD:
        raise UserError(f"{type(optimizer).__name__} moves the weights: a look-ahead needs plain SGD; use sgd, or lookahead 0")
    of_weight = {id(weight): group for group in optimizer.param_groups for weight in group["params"]}
    if missing := [i for i, weight in enumerate(weights) if id(weight) not in of_weight]:
        raise UserError(f"weight {missing[0]} is not in the optimiser: a look-ahead needs all of them there; add it")
    groups = [of_weight[id(weight)] for weight in weights]
    for group in groups:
        for name in ("nesterov", "dampening", "maximize"):
            if group[name]:
                raise UserError(f"SGD has {name}={group[name]}: a look-ahead needs plain SGD; switch it off, or use lookahead 0")
    rates = sorted({(float(group["lr"]), float(group["momentum"])) for group in groups})
    if len(rates) != 1:
        raise UserError(
            f"weights have {len(rates)} different pairs of learning rate and momentum ({rates}): a look-ahead needs one; use one"
        )
    buffers = [optimizer.state.get(weight, {}).get("momentum_buffer") for weight in weights]
    decay = [float(group["weight_decay"]) for group in groups]
    return Inner(rate=rates[0][0], momentum=rates[0][1], decay=decay, buffers=buffers)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hypergradient:
    """What `arch_gradient` found."""

    gradients: list[Tensor]
    """One per tensor of `logits`, of its shape; put them into `.grad` and let the architecture's optimiser step."""
    train: Tensor | None
    """Training loss at the weights as they are, detached; None if the rule does not compute it there."""
    val: Tensor | None
    """Validation loss where its gradient was taken (after the inner step if there is one), detached; None without one."""


def arch_gradient(
    rule: Rule,
    train_loss: Loss,
    val_loss: Loss,
    weights: Sequence[Tensor],
    logits: Sequence[Tensor],
    inner: Inner | None = None,
) -> Hypergradient:
    """The gradient of `rule` with respect to `logits`.

    Forward-backward passes, (of the training loss, of the validation loss): one-level (1, 0); first order (0, 1); mixed-level
    (1, 1); second order (3, 1); mixed-level of second order (4, 1); amended (4, 1). With `exact` each pair of passes of the
    training loss that is shifted is one, differentiated twice. At a learning rate of 0 second order is first order.

    The losses may run several times for one gradient, so what is random in them (dropout, sampled weightings) must be the
    same each time, and BatchNorm's running statistics move with each run: wrap the call in
    `common.supernet.kept_statistics` if they matter. They should compute in full precision: a central difference moves the
    weights by a total of `RADIUS`, which bfloat16 cannot tell from nothing. On several processes each has a gradient of its
    own; average the results.

    Args:
        rule: the coefficients.
        train_loss: T.
        val_loss: V; not run if its weight is 0.
        weights: leaf tensors that require gradients; moved in place meanwhile, and as before, bit for bit, at the end, also
            when a loss raises. A loss need not depend on all of them.
        logits: leaf tensors that require gradients; only read. `.grad` is not touched, neither theirs nor that of `weights`.
        inner: the weights' next step; needed if `rule.lookahead` is above 0.

    Returns:
        Gradients and losses. Where v (or H v) vanishes the implicit term is 0; where it is not finite the gradients are nan,
        without a pass at such weights. Nothing is raised for that: losses and gradients are the caller's to check
        (`common.train.fit.TrainingDiverged`).

    Raises:
        UserError: `inner` is missing.
    """
    if rule.lookahead and inner is None:
        raise UserError(f"lookahead is {rule.lookahead}, but there is no inner step to look at; give one, or lookahead 0")
    xi = rule.lookahead * inner.rate if inner is not None else 0.0
    if not (xi or rule.amended):
        losses, gradients = _direct(rule, train_loss, val_loss, logits)
        return Hypergradient(gradients=gradients, train=losses[0], val=losses[1])

    kept = [weight.detach().clone() for weight in weights]
    try:
        train = None
        if xi and inner is not None:
            train, slopes = _slopes(train_loss, weights)
            step = Inner(rate=inner.rate) if rule.plain else inner
            _move(weights, kept, step.direction(weights, slopes), -xi)
        losses, both = _direct(rule, train_loss, val_loss, [*logits, *weights])
        explicit, v = both[: len(logits)], both[len(logits) :]
        _move(weights, kept)
        product = _differentiated if rule.exact else partial(_difference, kept=kept)
        if rule.amended:
            train = losses[0]
            v = product(train_loss, weights, direction=v, of=weights)
        implicit = product(train_loss, weights, direction=v, of=logits)
    finally:
        _move(weights, kept)
    gradients = [g.sub(m, alpha=xi or rule.amended) for g, m in zip(explicit, implicit)]
    return Hypergradient(gradients=gradients, train=train, val=losses[1])


def _slopes(loss: Loss, of: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor | None]]:
    """A loss, detached, and its gradient; None for what it does not depend on."""
    with torch.enable_grad():
        value = loss()
    return value.detach(), torch.autograd.grad(value, list(of), allow_unused=True)


def _gradient(loss: Loss, of: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """A loss, detached, and its gradient; 0 for what it does not depend on."""
    value, slopes = _slopes(loss, of)
    return value, [torch.zeros_like(t, requires_grad=False) if g is None else g for g, t in zip(slopes, of)]


def _direct(
    rule: Rule, train_loss: Loss, val_loss: Loss, of: Sequence[Tensor]
) -> tuple[tuple[Tensor | None, Tensor | None], list[Tensor]]:
    """Both losses, None where its weight is 0, and the gradient of their weighted sum, here."""
    train = val = None
    total: list[Tensor] = []
    if rule.train:
        train, gradient = _gradient(train_loss, of)
        total = [rule.train * g for g in gradient]
    if rule.val:
        val, gradient = _gradient(val_loss, of)
        total = [t.add(g, alpha=rule.val) for t, g in zip(total, gradient)] if total else [rule.val * g for g in gradient]
    return (train, val), total


def _differentiated(loss: Loss, weights: Sequence[Tensor], direction: Sequence[Tensor], of: Sequence[Tensor]) -> list[Tensor]:
    """The same as `_difference` in the limit of a short step, exact: one pass that is differentiated twice."""
    with torch.enable_grad():
        slopes = torch.autograd.grad(loss(), list(weights), create_graph=True, allow_unused=True)
        along = [(s * d).sum() for s, d in zip(slopes, direction, strict=True) if s is not None]
        total = torch.stack(along).sum() if along else None
    if total is None or not total.requires_grad:
        return [torch.zeros_like(tensor, requires_grad=False) for tensor in of]
    found = torch.autograd.grad(total, list(of), allow_unused=True)
    return [torch.zeros_like(t, requires_grad=False) if g is None else g for g, t in zip(found, of, strict=True)]


def _difference(
    loss: Loss, weights: Sequence[Tensor], kept: Sequence[Tensor], direction: Sequence[Tensor], of: Sequence[Tensor]
) -> list[Tensor]:
    """How the gradient of `loss` with respect to `of` changes along `direction` of the weights, at `kept`: two passes."""
    norm = float(get_total_norm(direction))
    if norm == 0 or not math.isfinite(norm):
        return [torch.full_like(tensor, 0.0 if norm == 0 else math.nan, requires_grad=False) for tensor in of]
    epsilon = RADIUS / norm
    _move(weights, kept, direction, epsilon)
    _, plus = _gradient(loss, of)
    _move(weights, kept, direction, -epsilon)
    _, minus = _gradient(loss, of)
    return [(p - m) / (2 * epsilon) for p, m in zip(plus, minus)]


@torch.no_grad()
def _move(weights: Sequence[Tensor], kept: Sequence[Tensor], direction: Sequence[Tensor] = (), by: float = 0.0) -> None:
    """Sets the weights to `kept` + `by` * `direction`, or to `kept` alone."""
    for i, (weight, value) in enumerate(zip(weights, kept, strict=True)):
        weight.copy_(value)
        if direction:
            weight.add_(direction[i], alpha=by)
    torch.clear_autocast_cache()  # it holds casts of the old values and does not see writes

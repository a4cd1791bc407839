"""The one training loop: supernets and ordinary networks, one path a step or several, exact after any interruption.

Everything random in step k is a function of (seed, k): the batch (`batch_at(k)`), the paths (`before_step(k)`) and what layers
such as dropout draw. A run killed at any moment and resumed from its last checkpoint therefore ends with the same bits as one
that never stopped: always on a CPU, on a GPU as far as the kernels that torch picks there give the same bits twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from common.errors import UserError, cut
from common.streams import derive, seed_layers
from common.train.interrupt import held_back

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.swa_utils import AveragedModel

Batch = TypeVar("Batch")
Activate = Callable[[], object]
"""Switches a supernet to one path."""

MEMORY = 0.98
"""Weight of the past in the running means that `fit` returns: about the last 50 steps count."""


class TrainingDiverged(UserError):
    """The loss or the gradient is no finite number any more; no step was made on it."""


@runtime_checkable
class SavedState(Protocol):
    """What a store gives back."""

    @property
    def step(self) -> int:
        """Steps done."""
        ...

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """Named tensors."""
        ...

    @property
    def optimizer_state(self) -> Mapping[str, Any]:
        """States of optimiser and gradient scaler."""
        ...

    @property
    def extra(self) -> Mapping[str, Any]:
        """JSON values."""
        ...


@runtime_checkable
class Store(Protocol):
    """Where training is saved: `common.run.checkpoint.Checkpoint`."""

    def save(
        self, step: int, tensors: Mapping[str, Tensor], optimizer_state: Mapping[str, Any], extra: Mapping[str, Any]
    ) -> None:
        """Replaces what was saved."""
        ...

    def load(self) -> SavedState | None:
        """What was saved last, if anything."""
        ...


class Side(Protocol):
    """What is trained or adapted beside the model and must survive with it: architecture logits, a second player."""

    def tensors(self) -> Mapping[str, Tensor]:
        """Named tensors."""
        ...

    def state(self) -> Mapping[str, Any]:
        """The states of its optimisers and what else `torch.save` keeps without pickled code."""
        ...

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from what was saved."""
        ...


def fit(
    model: nn.Module,
    *,
    batch_at: Callable[[int], Batch],
    loss: Callable[[nn.Module, Batch], Mapping[str, Tensor]],
    optimizer: Optimizer,
    schedule: Callable[[float], float],
    steps: int,
    seed: int = 0,
    checkpoint: Store | None = None,
    save_every: int = 500,
    before_step: Callable[[int], Sequence[Activate] | None] | None = None,
    around_step: Callable[[], AbstractContextManager[object]] = nullcontext,
    clip_norm: float | None = None,
    accumulate: int = 1,
    amp: torch.dtype | None = None,
    ema: AveragedModel | None = None,
    side: Side | None = None,
    until: Callable[[], bool] | None = None,
    observe: Callable[[int, Mapping[str, float]], None] | None = None,
    to: Callable[[Batch, torch.device], Batch] | None = None,
) -> dict[str, float]:
    """Trains `model` for `steps` optimiser steps, going on from `checkpoint` if it holds something.

    Args:
        model: the network, on its device; wrap it in DistributedDataParallel to train on several processes.
        batch_at: batch number -> batch, a pure function; step k uses batches k * accumulate, ..., + accumulate - 1. In a
            distributed run each rank gives its own part.
        loss: (model, batch) -> named scalars; those with "loss" in their name are summed and minimised, others are observed.
        optimizer: over the parameters of `model`; its learning rates are the base rates.
        schedule: fraction of training done, in [0, 1) -> multiplier of the base rates.
        steps: optimiser steps in all, those before a resume included.
        seed: of what layers draw (dropout); a rank of a distributed run has a stream of its own.
        checkpoint: where to save and to go on from; None saves nothing.
        save_every: steps between checkpoints; one is also written at the end, and on Ctrl-C or SIGTERM.
        before_step: step -> activations; the loss of each is taken on the same batch and gradients are summed over them
            (fair and sandwich rules). None, or an empty list, leaves the model as it is.
        around_step: gives the context in which the optimiser steps, `lambda: supernet.idle_protected(optimizer)` say.
        clip_norm: largest norm of the gradient; larger ones are scaled down.
        accumulate: batches whose mean gradient makes one step.
        amp: dtype of mixed precision (bfloat16, or float16 with gradient scaling); None computes in the weights' own.
        ema: a moving average of the weights, updated after each step; see `common.train.optim.averaged`.
        side: what `before_step` and `around_step` train beside the model; saved and restored with it.
        until: asked after each step, and before the first; True ends the training as if there were no more steps.
        observe: (step, values) after each step: the means of what `loss` gave, "lr" and, if clipped, "grad_norm".
        to: moves a batch to the model's device; the default moves tensors in tuples, lists and dicts.

    Returns:
        Running means of the observed values at the end, about the last 50 steps.

    Raises:
        TrainingDiverged: a loss or a clipped gradient is not finite; names the step and the learning rate.
        UserError: the checkpoint is damaged or holds more steps than `steps`.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once the step was finished and saved.
    """
    bare: nn.Module = model.module if isinstance(model, DistributedDataParallel) else model
    device = next(bare.parameters()).device
    move = to or move_batch
    rank = dist.get_rank() if _distributed() else 0
    scaler = torch.amp.GradScaler(device.type, enabled=amp is torch.float16)
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])

    first, recent = 0, {}
    if checkpoint is not None and (saved := checkpoint.load()) is not None:
        if saved.step > steps:
            raise UserError(f"the checkpoint holds {saved.step} steps, more than the {steps} asked for; ask for as many")
        try:
            _restore(saved, bare, optimizer, scaler, ema, side)
            first, recent = saved.step, {name: float(value) for name, value in saved.extra["recent"].items()}
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise UserError(
                f"{getattr(checkpoint, 'path', 'the checkpoint')} holds another state than this training's ({cut(repr(error))}); "
                "delete the folder to train this stage again from its beginning, then run again with --resume"
            ) from error

    def save(done: int) -> None:
        if checkpoint is not None and rank == 0:
            states = {"optimizer": optimizer.state_dict(), "scaler": scaler.state_dict()}
            states |= {} if side is None else {"side": dict(side.state())}
            checkpoint.save(done, _tensors(bare, ema, side), states, {"recent": recent})

    if until is not None and until():
        return recent
    model.train()
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), held_back() as interrupted:
        for step in range(first, steps):
            seed_layers(derive(seed, "fit", step, rank), device)
            rate = schedule(step / steps)
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * rate
            optimizer.zero_grad(set_to_none=True)

            activations = (before_step(step) if before_step else None) or [lambda: None]
            seen: dict[str, float] = {}
            for part in range(accumulate):
                batch = move(batch_at(step * accumulate + part), device)
                for activate in activations:
                    activate()
                    with torch.autocast(device.type, dtype=amp, enabled=amp is not None):
                        terms = loss(model, batch)
                        total = total_loss(terms)
                    scaler.scale(total / accumulate).backward()
                    for name, value in {**terms, "loss": total}.items():
                        seen[name] = seen.get(name, 0.0) + float(value.detach()) / (accumulate * len(activations))

            seen, stop = _over_ranks(seen, interrupted(), device)
            if not math.isfinite(seen["loss"]):
                odd = [name for name, value in seen.items() if "loss" in name and name != "loss" and not math.isfinite(value)]
                raise _diverged(" and ".join(odd) or "loss", seen["loss"], step, steps, optimizer)
            if clip_norm is not None:
                scaler.unscale_(optimizer)
                seen["grad_norm"] = norm = float(nn.utils.clip_grad_norm_(bare.parameters(), clip_norm))
                if not (math.isfinite(norm) or scaler.is_enabled()):  # the scaler skips such a step by itself
                    raise _diverged("gradient", norm, step, steps, optimizer)
            with around_step():
                scaler.step(optimizer)
            scaler.update()
            if ema is not None:
                ema.update_parameters(bare)

            seen["lr"] = optimizer.param_groups[0]["lr"]
            recent = {name: _blend(recent.get(name), value) for name, value in seen.items()}
            if observe:
                observe(step, seen)
            ended = until is not None and until()
            if stop or ended or step + 1 == steps or (step + 1) % save_every == 0:
                save(step + 1)
            if stop:
                break
            if ended:
                return recent
        else:
            return recent
    raise KeyboardInterrupt  # reached where another rank got the signal


def _diverged(what: str, value: float, step: int, steps: int, optimizer: Optimizer) -> TrainingDiverged:
    lr = optimizer.param_groups[0]["lr"]
    return TrainingDiverged(
        f"the {what} is {value} at step {step} of {steps} with learning rate {lr:.3g}; "
        f"give a lower one, {lr / 3:.1g} say, or clip gradients"
    )


def total_loss(terms: Mapping[str, Tensor]) -> Tensor:
    """The sum of the scalars with "loss" in their name.

    Raises:
        ValueError: there is none.
    """
    losses = [value for name, value in terms.items() if "loss" in name]
    if not losses:
        raise ValueError(f"none of {list(terms)} has 'loss' in its name: nothing to minimise")
    return torch.stack(losses).sum()


def move_batch(batch: Any, device: torch.device) -> Any:
    """Moves the tensors of a batch, in tuples, lists and dicts of any depth, to `device`; anything else is left alone."""
    match batch:
        case Tensor():
            return batch.to(device, non_blocking=True)
        case dict():
            return {key: move_batch(value, device) for key, value in batch.items()}
        case list():
            return [move_batch(value, device) for value in batch]
        case tuple() if type(batch) is tuple:
            return tuple(move_batch(value, device) for value in batch)
        case _:
            return batch


def _tensors(model: nn.Module, ema: AveragedModel | None, side: Side | None) -> dict[str, Tensor]:
    named = {f"model/{name}": value for name, value in model.state_dict().items()}
    named |= {f"ema/{name}": value for name, value in ema.state_dict().items()} if ema is not None else {}
    return named | ({f"side/{name}": value for name, value in side.tensors().items()} if side is not None else {})


def _restore(
    saved: SavedState,
    model: nn.Module,
    optimizer: Optimizer,
    scaler: torch.amp.GradScaler,
    ema: AveragedModel | None,
    side: Side | None,
) -> None:
    def under(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): value for name, value in saved.tensors.items() if name.startswith(prefix)}

    model.load_state_dict(under("model/"))
    optimizer.load_state_dict(dict(saved.optimizer_state["optimizer"]))
    scaler.load_state_dict(saved.optimizer_state["scaler"])
    if ema is not None:
        ema.load_state_dict(under("ema/"))
    if side is not None:
        side.load(under("side/"), saved.optimizer_state["side"])


def _blend(past: float | None, value: float) -> float:
    return value if past is None else MEMORY * past + (1 - MEMORY) * value


def _distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def _over_ranks(values: dict[str, float], stop: bool, device: torch.device) -> tuple[dict[str, float], bool]:
    """Means over the ranks, and whether any rank is asked to stop: all must leave the loop at the same step."""
    if not _distributed():
        return values, stop
    packed = torch.tensor([float(stop), *values.values()], dtype=torch.float64, device=device)
    dist.all_reduce(packed)
    asked, *sums = packed.tolist()
    return {name: total / dist.get_world_size() for name, total in zip(values, sums)}, asked > 0

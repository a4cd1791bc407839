"""The one training loop: supernets and ordinary networks, one path a step or several, exact after any interruption.

Everything random in step k is a function of (seed, k): the batch (`batch_at(k)`), what participants do, and what layers such
as dropout draw. A run killed at any moment and resumed from its last checkpoint therefore ends with the same bits as one that
never stopped: always on a CPU, on a GPU as far as the kernels that torch picks there give the same bits twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from common.errors import UserError
from common.streams import derive, seed_layers
from common.train.clip import Clip
from common.train.interrupt import held_back
from common.train.saving import Saved, Store
from common.train.step import Losses, Participant, Step, paths_of

if TYPE_CHECKING:
    from torch.optim import Optimizer

Batch = TypeVar("Batch")

MEMORY = 0.98
"""Weight of the past in the running means that `fit` returns: about the last 50 steps count."""


class TrainingDiverged(UserError):
    """The loss or the gradient is no finite number any more; no step was made on it."""


def fit(
    model: Losses | DistributedDataParallel,
    *,
    batch_at: Callable[[int], Batch],
    optimizer: Optimizer,
    schedule: Callable[[float], float],
    steps: int,
    seed: int = 0,
    participants: Sequence[Participant] = (),
    checkpoint: Store | None = None,
    save_every: int = 500,
    clip: Clip | None = None,
    accumulate: int = 1,
    amp: torch.dtype | None = None,
    observe: Callable[[int, Mapping[str, float]], None] | None = None,
    to: Callable[[Batch, torch.device], Batch] | None = None,
) -> dict[str, float]:
    """Trains a network for `steps` optimiser steps, going on from `checkpoint` if it holds something.

    Args:
        model: the network, on its device, with its losses; wrap it in DistributedDataParallel to train on several processes.
            Its terms with "loss" in their name are summed and minimised, others are observed.
        batch_at: batch number -> batch, a pure function; step k uses batches k * accumulate, ..., + accumulate - 1. In a
            distributed run each rank gives its own part.
        optimizer: over the parameters of the network; its learning rates are the base rates.
        schedule: fraction of training done, in [0, 1) -> multiplier of the base rates.
        steps: optimiser steps in all, those before a resume included.
        seed: of what layers draw (dropout); a rank of a distributed run has a stream of its own.
        participants: who acts in every step, in this order; one of them may choose the paths of a step, whose losses are taken
            on the same batch and whose gradients are summed (fair and sandwich rules).
        checkpoint: where to save and to go on from; None saves nothing.
        save_every: steps between checkpoints; one is also written at the end, and on Ctrl-C or SIGTERM.
        clip: the largest gradient; larger ones are scaled down.
        accumulate: batches whose mean gradient makes one step.
        amp: dtype of mixed precision (bfloat16, or float16 with gradient scaling); None computes in the weights' own.
        observe: (step, values) after each step: the means of the terms, "lr" and, if clipped, "grad_norm".
        to: moves a batch to the model's device; the default moves tensors in tuples, lists and dicts.

    Returns:
        Running means of the observed values at the end, about the last 50 steps.

    Raises:
        TrainingDiverged: a loss or a clipped gradient is not finite; names the step and the learning rate.
        UserError: the checkpoint is damaged or holds more steps than `steps`.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once the step was finished and saved.
    """
    bare: Losses = model.module if isinstance(model, DistributedDataParallel) else model
    device, rank, move = next(bare.parameters()).device, _rank(), to or move_batch
    scaler = torch.amp.GradScaler(device.type, enabled=amp is torch.float16)
    kept = Saved(
        store=checkpoint, network=bare.network, optimizer=optimizer, scaler=scaler, participants=participants, writes=rank == 0
    )
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    first = kept.load(steps)
    if any(one.ended() for one in participants):
        return kept.recent
    model.train()
    with torch.random.fork_rng([device] if device.type == "cuda" else []), held_back() as interrupted:
        for number in range(first, steps):
            seed_layers(derive(seed, "fit", number, rank), device)
            step = Step(number=number, progress=number / steps, seed=seed)
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * schedule(step.progress)
            optimizer.zero_grad(set_to_none=True)

            paths = paths_of(participants, step)
            seen: dict[str, float] = {}
            for part in range(accumulate):
                batch = move(batch_at(number * accumulate + part), device)
                for index, path in enumerate(paths):
                    path.activate()
                    with torch.autocast(device.type, dtype=amp, enabled=amp is not None):
                        terms = model(batch, replace(step, path=path.arch, index=index))
                        total = total_loss(terms)
                    scaler.scale(total / accumulate).backward()
                    for name, value in {**terms, "loss": total}.items():
                        seen[name] = seen.get(name, 0.0) + float(value.detach()) / (accumulate * len(paths))

            seen, stop = _over_ranks(seen, interrupted(), device)
            _check_losses(seen, number, steps, optimizer)
            if clip is not None:
                scaler.unscale_(optimizer)
                seen["grad_norm"] = norm = clip.apply(bare.network.parameters())
                if not (math.isfinite(norm) or scaler.is_enabled()):  # the scaler skips such a step by itself
                    raise _diverged("gradient", norm, number, steps, optimizer)
            with ExitStack() as contexts:
                for one in participants:
                    contexts.enter_context(one.stepping())
                scaler.step(optimizer)
            scaler.update()

            seen["lr"] = optimizer.param_groups[0]["lr"]
            kept.recent.update({name: _blend(kept.recent.get(name), value) for name, value in seen.items()})
            for one in participants:
                one.after(step, seen)
            if observe:
                observe(number, seen)
            ended = any(one.ended() for one in participants)
            if stop or ended or number + 1 == steps or (number + 1) % save_every == 0:
                kept.save(number + 1)
            if stop:
                raise KeyboardInterrupt  # reached where another rank got the signal
            if ended:
                break
    return kept.recent


def _check_losses(seen: Mapping[str, float], step: int, steps: int, optimizer: Optimizer) -> None:
    if not math.isfinite(seen["loss"]):
        odd = [name for name, value in seen.items() if "loss" in name and name != "loss" and not math.isfinite(value)]
        raise _diverged(" and ".join(odd) or "loss", seen["loss"], step, steps, optimizer)


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


def _blend(past: float | None, value: float) -> float:
    return value if past is None else MEMORY * past + (1 - MEMORY) * value


def _distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def _rank() -> int:
    return dist.get_rank() if _distributed() else 0


def _over_ranks(values: dict[str, float], stop: bool, device: torch.device) -> tuple[dict[str, float], bool]:
    """Means over the ranks, and whether any rank is asked to stop: all must leave the loop at the same step."""
    if not _distributed():
        return values, stop
    packed = torch.tensor([float(stop), *values.values()], dtype=torch.float64, device=device)
    dist.all_reduce(packed)
    asked, *sums = packed.tolist()
    return {name: total / dist.get_world_size() for name, total in zip(values, sums)}, asked > 0

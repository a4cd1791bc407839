"""The run folder of an own network, reloaded with the user's build function and space."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor

from common.errors import UserError
from common.own.facts import OwnFacts
from common.own.network import Build, OwnNetwork
from common.own.system import costs
from common.run.files import read_json
from common.space import Arch, space_fingerprint
from common.stages.reload import ReloadedRun
from common.task import Networks

if TYPE_CHECKING:
    from torch import nn

INPUT = re.compile(r"([a-z0-9]+) \((\d*(?:, ?\d+)*,?)\)")
"""An input as `config.json` describes it: `float32 (1, 3, 32, 32)`."""


def reload_own(run: Path, config: Mapping[str, Any], build: Build | None, space: Any) -> ReloadedRun:
    """What the run folder of an own network holds. Inputs are zeros of the shapes that the run was given.

    Args:
        run: the run folder.
        config: its `config.json`.
        build: the build function.
        space: the description with open decisions.

    Raises:
        UserError: the build function or the space is missing, the space is another one, or `config.json` is damaged.
    """
    if build is None or space is None:
        raise UserError(
            f"{run} is a run of an own network, and a run folder holds no code; in Python: "
            f"common.Run({str(run)!r}, build=build, space=Net()) with .network(), .export()"
        )
    then, now = read_json(run / "space.json")["fingerprint"], space_fingerprint(space)
    if then != now:
        raise UserError(f"{run} is a run of another space (fingerprint {then}, not {now}); give the space that it searched")
    data = config.get("data")
    inputs = _inputs(data.get("inputs") if isinstance(data, dict) else None, run / "config.json")
    baseline = Arch(data.get("baseline", {})) if isinstance(data, dict) else Arch({})
    own = OwnNetwork(
        build=build,
        space=space,
        evaluate=_absent,
        inputs=inputs,
        train_step=None,
        test=None,
        objectives=(),
        baseline=baseline,
    )
    networks = Networks(space=space, build=own.built, baseline=baseline, costs=costs(own, shared=False))
    return ReloadedRun(networks=networks, facts=OwnFacts(inputs=inputs))


def _inputs(described: object, source: Path) -> tuple[Tensor, ...]:
    if not isinstance(described, Sequence) or isinstance(described, str) or not described:
        raise UserError(f"{source}: says nothing about the inputs of its network; restore the file")
    return tuple(_zeros(str(text), source) for text in described)


def _zeros(text: str, source: Path) -> Tensor:
    found = INPUT.fullmatch(text)
    dtype = getattr(torch, found[1], None) if found else None
    if found is None or not isinstance(dtype, torch.dtype):
        raise UserError(f"{source}: input {text!r} is no type and shape, float32 (1, 3, 32, 32) say; restore the file")
    return torch.zeros([int(size) for size in found[2].split(",") if size.strip()], dtype=dtype)


def _absent(network: nn.Module) -> NoReturn:
    raise AssertionError("a reloaded run evaluates nothing")

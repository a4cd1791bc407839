"""How candidates are evaluated, as plain data: a choice of every run, beside the engine. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from common.errors import UserError, check_least


def _share(value: float) -> None:
    if not 0 < value <= 1:
        raise UserError(f"search.evaluation.fidelity={value}: give a share of the training steps above 0 and at most 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class InheritedSettings:
    """Candidates inherit the weights of a supernet that is trained first; see `common.evaluate.inherited`."""

    name: Literal["inherited"] = "inherited"
    calibration_batches: int = 0
    """Training batches that re-estimate a candidate's BatchNorm statistics; 0 keeps those of the supernet."""
    calibration_batch: int = 8
    """Items in each of these batches."""
    images: int | None = None
    """Validation items (images, graphs) that a candidate is evaluated on; all by default."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "search.evaluation", ("calibration_batches",), 0)
        check_least(self, "search.evaluation", ("calibration_batch",), 1)
        if self.images is not None:
            check_least(self, "search.evaluation", ("images",), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchSettings:
    """Candidates are trained alone, from scratch; see `common.evaluate.scratch`."""

    name: Literal["scratch"] = "scratch"
    fidelity: float = 1.0
    """Share of the training steps that a candidate gets, in (0, 1]. Halving and EcoNAS have shares
    of their own."""
    cuts: int = 1
    """Cuts of training and validation data that a candidate is trained on, its score the mean: the task's own, then others.
    With several of them every training has all steps, and a share is a share of the cuts."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        _share(self.fidelity)
        check_least(self, "search.evaluation", ("cuts",), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """Candidates are trained alone as a cheaper variant of the task: fewer cells, smaller images, a shorter training."""

    name: Literal["proxy"] = "proxy"
    overrides: tuple[str, ...] = ()
    """Settings of the variant, `name=value` as `--set` takes them, e.g. `["network.cells=5", "train.steps=100"]`."""
    fidelity: float = 1.0
    """Share of the variant's training steps that a candidate gets, in (0, 1]."""
    cuts: int = 1
    """Cuts of the data that a candidate is trained on; see `ScratchSettings`."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        _share(self.fidelity)
        check_least(self, "search.evaluation", ("cuts",), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorSettings:
    """Candidates are scored by a predictor, which is fitted on random architectures that are evaluated by `base` first."""

    name: Literal["predictor"] = "predictor"
    base: InheritedSettings | ScratchSettings | ProxySettings = ScratchSettings()
    """Evaluation of the architectures that the predictor is fitted on, and of the best candidates by prediction."""
    fitted: int = 20
    """Random architectures that the predictor is fitted on."""
    verified: int = 5
    """Best candidates by prediction that `base` evaluates at last; the best of them is the result."""
    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers of the predictor, an ensemble of multilayer perceptrons on one-hot encodings."""
    members: int = 4
    """Networks in the ensemble."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "search.evaluation", ("fitted",), 2)
        check_least(self, "search.evaluation", ("verified",), 1)
        check_least(self, "search.evaluation", ("members",), 1)
        if min(self.hidden, default=1) < 1:
            raise UserError(f"search.evaluation.hidden={list(self.hidden)}: give widths of 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSettings:
    """Candidates are looked up in a table of architectures and scores; architectures without a row are infeasible."""

    name: Literal["table"] = "table"
    file: str = ""
    """CSV or JSONL file; see `common.tables.own`. The `trials.jsonl` of an earlier run at one fidelity is one."""


Evaluation = InheritedSettings | ScratchSettings | ProxySettings | PredictorSettings | TableSettings
"""Every evaluation: `--set search.evaluation=NAME search.evaluation.FIELD=VALUE`."""


def shares_of(evaluation: Evaluation) -> bool:
    """Whether candidates can be evaluated at a share of the training budget, as halving and EcoNAS ask for."""
    return isinstance(evaluation, ScratchSettings | ProxySettings)


def needs_supernet(evaluation: Evaluation) -> bool:
    """Whether a supernet is trained before candidates are evaluated."""
    return isinstance(evaluation.base if isinstance(evaluation, PredictorSettings) else evaluation, InheritedSettings)

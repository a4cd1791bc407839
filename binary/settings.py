"""Settings of runs that search binary networks. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from classification.settings import DataSettings
from common.errors import UserError
from common.stages.settings import PhaseSettings, RunSettings, check_trained
from common.train.optim import OptimSettings

__all__ = ["COSTS", "BinarySettings", "DataSettings", "DistilSettings"]

COSTS = ("params", "macs", "bits", "bops", "activation_bytes", "ops", "binary_weights")
"""What a binary network costs; see `binary.costs.BINARY`."""
_TEACHER = PhaseSettings(steps=1000, batch=64, optim=OptimSettings(name="adam", lr=5e-3, weight_decay=0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class DistilSettings:
    """Learning from a teacher with real weights (ReActNet, 2003.03488, section 4.3).

    Martinez et al. (2020, 2003.11535) compare inner maps with a teacher's too, which is not done here.

    The teacher is the real twin of the baseline (`binary.real.real_twin`). It is trained once in a run, before the search, and
    everything that is trained after it learns from it: the supernet, candidates, and the networks that are trained alone.
    """

    weight: float = 0.0
    """Share of the loss that compares the class probabilities of a network with its teacher's; cross-entropy is the rest. 0: no
    teacher is trained; 1: labels are not used but by the teacher, as in ReActNet."""
    teacher: PhaseSettings = _TEACHER
    """Training of the teacher, on the training split; it cannot stop early, because it sees no validation images."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        if not 0 <= self.weight <= 1:
            raise UserError(f"distil.weight={self.weight}: give a share of the loss from 0 (no teacher) to 1 (no cross-entropy)")
        if self.teacher.stop is not None:
            raise UserError("distil.teacher.stop: the teacher sees no validation images; give null, and distil.teacher.steps")
        if self.weight and not self.teacher.steps:
            raise UserError(
                f"distil.weight={self.weight}: its teacher would be untrained, distil.teacher.steps=0; give 1 or more steps, or "
                "distil.weight=0"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class BinarySettings(RunSettings):
    """What the settings of every system of binary networks begin with."""

    data: DataSettings
    activations: PhaseSettings
    """Training of a single network before `train`, with binary activations and real weights; 0 steps leave it out."""
    train: PhaseSettings
    """Training of a single network, with binary activations and weights."""
    distil: DistilSettings = DistilSettings()
    """Learning from a teacher with real weights; off by default, and in every recipe."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown budget, or a number out of range.
        """
        RunSettings.__post_init__(self)  # not super(): slots make the class anew
        self.check_costs(COSTS, "binary network")
        check_trained({"train": self.train}, "network")


def common_notes(settings: BinarySettings) -> list[str]:
    """What a reader of the report of any system must know: of its costs, and of its teacher if there is one."""
    costs = (
        "Costs are those of one image of the data's size: macs of layers with real weights, bops of binary convolutions, ops = "
        "macs + bops / 64; bits of the parameters, 1 for a binary weight and 32 for any other."
    )
    distil = settings.distil
    if not distil.weight:
        return [costs]
    teacher = (
        "teacher: the baseline with ordinary convolutions and ReLU, trained on the training split with cross-entropy before the "
        f"search. Every other network learns from it: the Kullback-Leibler divergence between the teacher's class probabilities "
        f"and its own has weight {distil.weight:g} in the loss, cross-entropy {1 - distil.weight:g}."
    )
    return [costs, teacher]

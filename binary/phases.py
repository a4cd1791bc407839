"""How binary networks are trained: in one stage, or alone with binary activations first and binary weights after that.

All of them learn from labels, from a teacher with real weights, or from both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from binary.layers.convolution import Binary, is_binary
from classification.data import Augment
from classification.phases import Batch, Classify
from classification.task import enough

if TYPE_CHECKING:
    from binary.task import BinaryTask
    from common.task import Kind


def distributional_loss(scores: Float[Tensor, "n c"], teacher: Float[Tensor, "n c"]) -> Float[Tensor, ""]:
    """The Kullback-Leibler divergence from the teacher's class probabilities to the network's, mean over images, in nats.

    The distributional loss of ReActNet (Liu et al. 2020, 2003.03488, section 4.3). Its official code leaves out the teacher's
    entropy, which has no gradient.

    Args:
        scores: of the network, before the softmax.
        teacher: its scores.
    """
    return F.kl_div(scores.log_softmax(1), teacher.log_softmax(1), reduction="batchmean", log_target=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distil(Classify):
    """Training with cross-entropy, the distance to a teacher's class probabilities, or both.

    Attributes:
        weight: of the distance, in [0, 1]; cross-entropy has the rest. At 0 there is no teacher.
        teacher: gives the trained teacher on a device.
    """

    weight: float
    teacher: Callable[[torch.device], nn.Module]

    def score_losses(self, scores: Tensor, batch: Batch) -> Mapping[str, Tensor]:
        """The terms with a weight above 0; nothing of the teacher has a gradient."""
        labelled = Classify.score_losses(self, scores, batch)  # not super(): slots make the class anew
        if not self.weight:
            return labelled
        with torch.no_grad():
            theirs = self.teacher(batch[0].device)(batch[0])
        rest = {name: (1 - self.weight) * loss for name, loss in labelled.items()} if self.weight < 1 else {}
        return {**rest, "distil_loss": self.weight * distributional_loss(scores, theirs)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RealWeights(Distil):
    """Training with binary activations and real weights (the first of two stages; Martinez et al. 2020, 2003.11535; ReActNet)."""

    def wrap(self, network: nn.Module, seed: int) -> nn.Module:
        """The network, whose convolutions take their weights as they are."""
        set_real(network, True)
        return network

    def finish(self, network: nn.Module, model: nn.Module) -> None:
        """Weights become binary."""
        set_real(network, False)


def set_real(network: nn.Module, real: bool) -> None:
    """Whether the binary convolutions of a network take their weights as they are."""
    for module in network.modules():
        if is_binary(module):
            arithmetic = module.arithmetic
            assert isinstance(arithmetic, Binary)
            module.arithmetic = replace(arithmetic, real=real)  # pyright: ignore[reportAttributeAccessIssue]


def check(task: BinaryTask) -> None:
    """Refuses too few training images for a batch.

    Raises:
        UserError: names the setting.
    """
    s = task.settings
    for name in ("weights", "activations", "train"):
        enough(task.data.train, name, getattr(s, name))
    if s.distil.weight:
        enough(task.data.train, "distil.teacher", s.distil.teacher)


def teacher_phase(task: BinaryTask) -> Classify:
    """How the teacher is trained."""
    settings = task.settings.distil.teacher
    return Classify(name="teacher", settings=settings, split=task.data.train, augment=Augment(padding=task.padding))


def phases(task: BinaryTask, kind: Kind) -> Sequence[Classify]:
    """A network alone, in one stage or two, and a supernet; weights and architecture in turn are not trained."""
    s = task.settings
    split, augment = task.data.train, Augment(padding=task.padding)
    weight, teacher = s.distil.weight, task.teacher
    match kind:
        case "standalone":
            return [
                RealWeights(
                    name="activations", settings=s.activations, split=split, augment=augment, weight=weight, teacher=teacher
                ),
                Distil(name="train", settings=s.train, split=split, augment=augment, weight=weight, teacher=teacher),
            ]
        case "supernet":
            return [Distil(name="weights", settings=s.weights, split=split, augment=augment, weight=weight, teacher=teacher)]
        case "relaxed":
            return []

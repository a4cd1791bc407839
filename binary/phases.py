"""How binary networks are trained: in one stage, or alone with binary activations first and binary weights after that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torch import nn

from binary.layers.convolution import Binary, is_binary
from classification.data import Augment
from classification.phases import Classify
from classification.task import enough

if TYPE_CHECKING:
    from binary.task import BinaryTask
    from common.task import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class RealWeights(Classify):
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


def phases(task: BinaryTask, kind: Kind) -> Sequence[Classify]:
    """A network alone, in one stage or two, and a supernet; weights and architecture in turn are not trained."""
    s = task.settings
    split, augment = task.data.train, Augment(padding=task.padding)
    match kind:
        case "standalone":
            return [
                RealWeights(name="activations", settings=s.activations, split=split, augment=augment),
                Classify(name="train", settings=s.train, split=split, augment=augment),
            ]
        case "supernet":
            return [Classify(name="weights", settings=s.weights, split=split, augment=augment)]
        case "relaxed":
            return []

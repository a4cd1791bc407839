"""How networks of binary cells are trained: the supernet, with its parent if it has one, and a network alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from binary.cells.settings import Settings
from binary.layers.convolution import BinaryConv2d
from binary.layers.signs import sign
from binary.phases import Distil, RealWeights
from classification.cells.network import set_drop_path
from classification.data import Augment
from classification.phases import Batch, Classify
from classification.task import enough
from common.paired import Outputs
from common.train.step import Step

if TYPE_CHECKING:
    from binary.task import BinaryTask
    from common.task import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Searching(Distil):
    """Training of a supernet: of one network, or of a child and its parent, each by its own loss (CP-NAS, algorithm 1)."""

    def terms(self, scores: Any, batch: Batch) -> Mapping[str, Tensor]:
        """Those of the searched network; a parent has as many of its own, whose gradients reach nothing of the child."""
        if not isinstance(scores, Outputs):
            return Distil.terms(self, scores, batch)
        child, parent = (Distil.terms(self, own, batch) for own in scores)
        return {**child, **{f"parent_{name}": value for name, value in parent.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class NearParent(Distil):
    """Training of a binary network, with CP-NAS's loss if wanted (section 3.4): near its real weights, and near its classes.

    Attributes:
        kernels: weight of both terms, lambda; at 0 there are none.
    """

    kernels: float

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> Mapping[str, Tensor]:
        """The terms of the scores, and lambda / 2 times each of the two distances."""
        if not self.kernels:
            return Distil.loss(self, model, batch, step)
        maps: list[Tensor] = []

        def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
            maps.append(output)

        with list(model.get_submodule("cells").children())[-1].register_forward_hook(keep):
            terms = Distil.loss(self, model, batch, step)
        half = self.kernels / 2
        near = {"kernel_loss": half * kernel_distance(model), "compact_loss": half * spread(maps[0], batch[1])}
        return {**terms, **near}


def kernel_distance(network: nn.Module) -> Float[Tensor, ""]:
    """The sum over filters of the mean squared distance between the real numbers behind a binary filter and its binary values.

    CP-NAS's L_H: H are the real filters, the parent's side; the signs times their scale are rebuilt from them, the child's side.
    """
    total = torch.zeros((), device=next(network.parameters()).device)
    for module in network.modules():
        if isinstance(module, BinaryConv2d):
            numbers = module.arithmetic.seen(module.weight)
            signs, scale = sign(numbers), module.arithmetic.scales(numbers)
            rebuilt = signs if scale is None else signs * scale.reshape(-1, 1, 1, 1)
            total = total + (numbers - rebuilt).square().flatten(1).mean(1).sum()
    return total


def spread(maps: Float[Tensor, "n c h w"], labels: Int[Tensor, "n"]) -> Float[Tensor, ""]:
    """The mean squared distance of the images' maps from the mean map of their class, over all numbers of them.

    CP-NAS's compactness within classes, on the output of the last cell; a reconstruction in its scale.
    """
    rows = maps.flatten(1)
    alike = (labels[:, None] == labels[None, :]).to(rows)
    means = alike @ rows / alike.sum(1, keepdim=True)
    return (rows - means).square().mean()


def check(task: BinaryTask) -> None:
    """Refuses too few training images for a batch.

    Raises:
        UserError: names the setting.
    """
    s: Settings = task.settings
    enough(task.data.train, "activations", s.activations)
    enough(task.data.train, "train", s.train)
    for split in task.halves if s.two_levels else (task.data.train,):
        enough(split, "weights", s.weights)
    if s.distil.weight:
        enough(task.data.train, "distil.teacher", s.distil.teacher)


def phases(task: BinaryTask, kind: Kind) -> Sequence[Classify]:
    """Alone, a network learns from all of the training split, its activations binary first if the settings say so.

    In a search by gradients weights learn from one half of it and the architecture from the other; else both have all of it.
    """
    s: Settings = task.settings
    split, augment = task.data.train, Augment(padding=task.padding)
    weight, teacher = s.distil.weight, task.teacher
    match kind:
        case "standalone":
            first = RealWeights(
                name="activations",
                settings=s.activations,
                split=split,
                augment=augment,
                drop_path=s.network.drop_path,
                set_drop_path=set_drop_path,
                weight=weight,
                teacher=teacher,
            )
            last = NearParent(
                name="train",
                settings=s.train,
                split=split,
                augment=augment,
                drop_path=s.network.drop_path,
                set_drop_path=set_drop_path,
                weight=weight,
                teacher=teacher,
                kernels=s.network.kernels,
            )
            return [first, last]
        case "supernet":
            return [Searching(name="weights", settings=s.weights, split=split, augment=augment, weight=weight, teacher=teacher)]
        case "relaxed":
            splits = task.halves if s.two_levels else (split, split)
            return [
                Searching(name=name, settings=s.weights, split=half, augment=augment, weight=weight, teacher=teacher)
                for name, half in zip(("weights", "architecture"), splits, strict=True)
            ]

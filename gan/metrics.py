"""How good generated pictures are: Fréchet distance between sets, and distances between pairs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from common.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A trained generator that the networks of a run are compared with.

    Attributes:
        name: of the reference, in names of metrics and in captions.
        others: what the networks of the run are called in captions.
        network: device -> the reference on that device, in eval mode.
    """

    name: str
    others: str
    network: Callable[[torch.device], nn.Module]


class Frechet:
    """The Fréchet distance of generated pictures from a set of true ones, in a feature space (Heusel et al. 2017).

    Statistics are taken in double precision.
    """

    def __init__(self, features: nn.Module, true: Iterable[Tensor], device: torch.device) -> None:
        """Takes the statistics of the true pictures.

        Args:
            features: pictures -> features; it has `num_features`.
            true: batches of pictures in [-1, 1], two or more in all.
            device: where to compute.
        """
        from torchmetrics.image.fid import FrechetInceptionDistance

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Metric `FrechetInceptionDistance` will save all extracted features")
            self._metric = FrechetInceptionDistance(feature=features, reset_real_features=False).to(device)
        self._device = device
        for pictures in true:
            self._metric.update(pictures.to(device), real=True)

    def distance(self, generated: Iterable[Tensor]) -> float:
        """The distance of a set of two or more pictures, in batches."""
        self._metric.reset()
        for pictures in generated:
            self._metric.update(pictures.to(self._device), real=False)
        return float(self._metric.compute())


def paired_scores(pairs: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Means over pairs of a generated and a true picture, in batches.

    `L1`: mean absolute difference as a share of the whole range of values, 0..1; `PSNR`, in decibels, the mean of each picture's;
    `SSIM`: structural similarity, up to 1 (Wang et al. 2004).
    """
    from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure
    from torchmetrics.regression import MeanAbsoluteError

    metrics: dict[str, Any] = {
        "L1": MeanAbsoluteError(),
        "PSNR": PeakSignalNoiseRatio(data_range=2.0, dim=(1, 2, 3)),
        "SSIM": StructuralSimilarityIndexMeasure(data_range=2.0),
    }
    for generated, true in pairs:
        for metric in metrics.values():
            metric.to(generated.device).update(generated, true.to(generated.device))
    found = {name: float(metric.compute()) for name, metric in metrics.items()}
    return {**found, "L1": found["L1"] / 2}


Segmenter = Callable[[], nn.Module]
"""Makes a network from pictures in [-1, 1] to scores of classes, (n, k, h, w)."""


def segmenter(path: str) -> nn.Module:
    """The network of an import path.

    Args:
        path: `package.module:name` of a `Segmenter`.

    Raises:
        UserError: there is no such thing, or it is no network.
    """
    module, _, name = path.partition(":")
    try:
        made = getattr(import_module(module), name)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UserError(f"segmenter {path!r}: {error}; give package.module:name of a function that makes a network") from None
    if not isinstance(made, nn.Module):
        raise UserError(f"segmenter {path!r}: gives a {type(made).__name__}; it must make a torch module")
    return made.eval().requires_grad_(False)


@torch.no_grad()
def mean_iou(network: nn.Module, pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Mean intersection over union, 0..1, of the classes a segmenter finds in generated pictures with those in the true ones.

    The paper's measure for Cityscapes takes the annotated classes as the truth; here they are those found in the true pictures,
    so that no annotation is needed.
    """
    from torchmetrics.classification import MulticlassJaccardIndex

    metric: Any = None
    for generated, true in pairs:
        found = network(generated)
        if metric is None:
            metric = MulticlassJaccardIndex(num_classes=found.shape[1]).to(generated.device)
        metric.update(found.argmax(1), network(true.to(generated.device)).argmax(1))
    return float(metric.compute())

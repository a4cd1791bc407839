"""The mm* packages (mmdetection, mmsegmentation) on a current torch: importing them, registration of our modules, checkpoints.

mmcv has no compiled wheel for a current torch. `mmcv-lite` lacks the module `mmcv._ext` only; the few operators that
our networks call are put there in plain torch and torchvision. Where a real mmcv is installed it is left alone. Which package a
task needs is the task's business.

`torch.load` refuses the checkpoints of mmengine's Runner, because they hold more than tensors. Importing a package here puts the
few classes that they hold on torch's allow list; `weights_only` stays on.
"""

from __future__ import annotations

import functools
import importlib
import importlib.machinery
import importlib.util
import logging
import pickle
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torchvision
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from common.errors import UserError
from common.extras import missing_packages

_HARMLESS = (
    # mmcv announces the move of a class that we do not use.
    (r"(?s).*MultiScaleDeformableAttention.*has been moved", ImportWarning),
    # Docstrings of the packages, seen only when Python compiles them for the first time.
    (r"invalid escape sequence", DeprecationWarning),
    (r"invalid escape sequence", SyntaxWarning),
)


def import_packages(modules: Sequence[str], extra: str) -> None:
    """Makes mm* packages importable and imports them (seconds, the first time in a process).

    Args:
        modules: what to import, e.g. `mmdet.models`.
        extra: the extra of this package that installs what they need; also what needs them, in messages.

    Raises:
        UserError: a package is not installed.
    """
    packages = dict.fromkeys(("mmengine", "mmcv", *(module.split(".")[0] for module in modules)))
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        raise missing_packages(extra, missing)
    with warnings.catch_warnings():
        for message, category in _HARMLESS:
            warnings.filterwarnings("ignore", message=message, category=category)
        if importlib.util.find_spec("mmcv._ext") is None:
            sys.modules["mmcv._ext"] = stand_in()
        for module in modules:
            importlib.import_module(module)
    torch.serialization.add_safe_globals(_held_by_checkpoints())


def _held_by_checkpoints() -> list[Any]:
    """What a checkpoint of mmengine's Runner holds beside tensors: logged values, and arrays and numbers of numpy."""
    array, number = np.empty(0).__reduce__()[0], np.float64(0).__reduce__()[0]
    functions = {"_reconstruct": array, "scalar": number}
    # numpy 1 wrote `numpy.core`, numpy 2 writes `numpy._core`.
    named = [(found, f"numpy.{core}.multiarray.{name}") for name, found in functions.items() for core in ("core", "_core")]
    dtypes = [type(np.dtype(code)) for code in "?bBhHiIlLqQefd"]
    buffer = importlib.import_module("mmengine.logging").HistoryBuffer
    return [buffer, np.ndarray, np.dtype, *dtypes, *named, (_statistic, "builtins.getattr")]


def _statistic(owner: object, name: str) -> object:
    """Stands in for `getattr` in checkpoints: a `HistoryBuffer` names the functions of its statistics so.

    `getattr` itself would let a file reach any attribute of any object.

    Raises:
        UnpicklingError: anything else is asked for.
    """
    buffer = importlib.import_module("mmengine.logging").HistoryBuffer
    if owner is not buffer or name not in ("min", "max", "current", "mean"):
        raise pickle.UnpicklingError(f"attribute {name!r} of {owner!r} is no statistic of a HistoryBuffer")
    return getattr(owner, name)


@contextmanager
def scope(package: str) -> Iterator[None]:
    """Within it, names in configurations are looked up in `package` first, whatever a runner of another one has set before."""
    registry = importlib.import_module("mmengine.registry")  # not a package of the core's own: a task needs it
    with registry.DefaultScope.overwrite_default_scope(package):
        yield


def built(package: str, config: Mapping[str, Any], backbone: nn.Module, parts: Sequence[str], seed: int | None) -> nn.Module:
    """A network of `package` around a backbone that is used as it is.

    Args:
        package: mmdet or mmseg; its registry is asked.
        config: of the network, as the package's configurations write it; its backbone, if it names one, is not read.
        backbone: what the network gets for one.
        parts: what is initialised as the package does it; parameters on the meta device are left alone.
        seed: of their initial weights; with None they are the next numbers of torch's generator.
    """
    models = importlib.import_module(f"{package}.registry").MODELS
    logger = importlib.import_module("mmengine.logging").MMLogger.get_current_instance()

    def given() -> nn.Module:
        return backbone

    # torch's and mmengine's initialisers draw from the global generator: lend it to them and put it back.
    with torch.random.fork_rng(devices=[], enabled=seed is not None), scope(package):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "``build_loss`` would be deprecated", UserWarning)  # mmseg's own heads call it
            net = models.build({**config, "backbone": {"type": given}})
        if not any(p.is_meta for p in net.parameters()):
            level = logger.level
            logger.setLevel(logging.WARNING)  # a paragraph for every parameter otherwise
            for name in parts:
                net.get_submodule(name).init_weights()
            logger.setLevel(level)
    return net


class Wrapped(nn.Module):
    """A network of an mm* package with the normalisation of its pixels.

    Attributes:
        net: the package's network; `net.backbone` is the backbone it was built around.
        classes: how many classes it tells apart.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        net: nn.Module,
        classes: int,
        mean: Sequence[float],
        std: Sequence[float],
        order: Literal["rgb", "bgr"] = "rgb",
    ) -> None:
        """Wraps `net`.

        Args:
            net: the package's network.
            classes: how many classes it tells apart.
            mean: subtracted from the channels, on the scale 0..255, in `order`.
            std: what the difference is divided by.
            order: of the channels that the backbone sees.
        """
        super().__init__()
        self.net = net
        self.classes = classes
        self._order = order
        self.register_buffer("mean", torch.tensor(mean).reshape(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).reshape(3, 1, 1), persistent=False)

    @property
    def backbone(self) -> nn.Module:
        """The backbone."""
        return self.net.get_submodule("backbone")

    def normalised(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
        """RGB pixels as the backbone wants them, channels last in memory."""
        if self._order == "bgr":
            images = images.flip(1)
        return ((images.float() - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """An mm* package that is imported when it is first needed.

    Attributes:
        name: of the package.
        modules: what is imported of it.
        extra: see `import_packages`.
    """

    name: str
    modules: tuple[str, ...]
    extra: str

    def prepare(self) -> None:
        """Makes the package importable and imports it (seconds; once in a process).

        Raises:
            UserError: it is not installed.
        """
        _prepare(self)

    def register(self, name: str, kind: type, registry: Literal["MODELS", "HOOKS"] = "MODELS") -> None:
        """Makes `kind` available to the package's configurations as `dict(type=name, ...)`.

        Args:
            name: in configurations.
            kind: the class.
            registry: of the package: `MODELS` for backbones and necks, `HOOKS` for hooks of the Runner.

        Raises:
            ValueError: another class already has this name.
        """
        self.prepare()
        found = getattr(importlib.import_module(f"{self.name}.registry"), registry)
        known = found.module_dict.get(name)
        if known is None:
            found.register_module(name=name, module=kind)
        elif known is not kind:
            raise ValueError(f"{name} is already registered as {known}")


@functools.cache
def _prepare(package: Package) -> None:
    import_packages(package.modules, package.extra)


def stand_in() -> types.ModuleType:
    """A module to take the place of `mmcv._ext`: what we use works, any other operator says what to install."""
    module = _Operators("mmcv._ext")
    module.__spec__ = importlib.machinery.ModuleSpec("mmcv._ext", loader=None)
    return module


class _Operators(types.ModuleType):
    def __getattr__(self, name: str) -> Callable:
        if name.startswith("__"):
            raise AttributeError(name)
        return _OPERATORS.get(name) or _absent(name)


def _absent(name: str) -> Callable:
    def operator(*_: object, **__: object) -> None:
        raise UserError(
            f"mmcv operator {name}: mmcv-lite has no compiled operators and no stand-in exists for this one;"
            " choose settings that do not need it or install the full mmcv"
        )

    return operator


def _nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the boxes that non-maximum suppression keeps, best first; a box is `x2 - x1 + offset` wide."""
    if offset:
        boxes = torch.cat([boxes[:, :2], boxes[:, 2:] + offset], dim=1)
    return torchvision.ops.nms(boxes, scores, iou_threshold)


def _soft_nms(
    boxes: Tensor, scores: Tensor, dets: Tensor, iou_threshold: float, sigma: float, min_score: float, method: int, offset: int
) -> Tensor:
    """Soft-NMS (arXiv 1704.04503): indices of the boxes whose scores stay above `min_score`, best first; `dets` gets them.

    The best box is taken, and the scores of the others are multiplied by a function of their overlap with it. `method`: 0 drops
    above the threshold, 1 multiplies by 1 - overlap there, 2 by exp(-overlap**2 / sigma) everywhere.
    """
    rest = boxes.double().numpy()
    left, found = scores.double().numpy().copy(), []
    areas = (rest[:, 2] - rest[:, 0] + offset) * (rest[:, 3] - rest[:, 1] + offset)
    places = np.arange(len(left))
    while len(places):
        best = int(left.argmax())
        if left[best] <= min_score:
            break
        found.append((int(places[best]), float(left[best])))
        low, high = np.maximum(rest[best, :2], rest[:, :2]), np.minimum(rest[best, 2:], rest[:, 2:])
        common = np.clip(high - low + offset, 0, None).prod(1)
        overlap = common / (areas[best] + areas - common)
        match method:
            case 0:
                left = np.where(overlap > iou_threshold, 0.0, left)
            case 1:
                left = np.where(overlap > iou_threshold, left * (1 - overlap), left)
            case _:
                left = left * np.exp(-(overlap**2) / sigma)
        left[best] = -np.inf
        keep = left > min_score
        rest, areas, left, places = rest[keep], areas[keep], left[keep], places[keep]
    kept = torch.tensor([i for i, _ in found], dtype=torch.long)
    dets[: len(found), :4] = boxes[kept]
    dets[: len(found), 4] = torch.tensor([score for _, score in found], dtype=dets.dtype)
    return kept


def _focal_terms(logits: Tensor, target: Tensor, alpha: float) -> tuple[Tensor, Tensor, Tensor]:
    hit = torch.nn.functional.one_hot(target, logits.shape[1] + 1)[:, :-1].to(logits.dtype)
    return hit * alpha, (1 - hit) * (1 - alpha), logits.sigmoid()


def _focal_forward(input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float) -> None:
    """Sigmoid focal loss (arXiv 1708.02002) of each logit, written to `output`; target = classes is background."""
    positive, negative, p = _focal_terms(input, target, alpha)
    log_p = torch.nn.functional.logsigmoid(input)
    log_q = torch.nn.functional.logsigmoid(-input)
    output.copy_(-positive * (1 - p) ** gamma * log_p - negative * p**gamma * log_q)
    _weigh(output, target, weight)


def _focal_backward(input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float) -> None:
    """Derivative of `_focal_forward` by the logits, written to `grad_input`."""
    positive, negative, p = _focal_terms(input, target, alpha)
    log_p = torch.nn.functional.logsigmoid(input)
    log_q = torch.nn.functional.logsigmoid(-input)
    of_positive = (1 - p) ** gamma * (1 - p - gamma * p * log_p)
    of_negative = p**gamma * (gamma * (1 - p) * log_q - p)
    grad_input.copy_(-positive * of_positive - negative * of_negative)
    _weigh(grad_input, target, weight)


def _weigh(values: Tensor, target: Tensor, weight: Tensor) -> None:
    if weight.numel():  # one weight a class; mmcv passes an empty tensor for none
        values *= torch.cat([weight, weight.new_ones(1)])[target][:, None]


_OPERATORS: dict[str, Callable] = {
    "nms": _nms,
    "softnms": _soft_nms,
    "sigmoid_focal_loss_forward": _focal_forward,
    "sigmoid_focal_loss_backward": _focal_backward,
}

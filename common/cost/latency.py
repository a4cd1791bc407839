"""How long one pass of a network takes on this machine, with the conditions under which it was taken."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from common.cost.shapes import tensors_in
from common.errors import UserError
from common.extras import imports_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """A measured time.

    Attributes:
        median_ms: the median over the repeats, milliseconds per pass.
        iqr_ms: the interquartile range, milliseconds; how far to trust the median.
        conditions: device, threads, type, batch and the version of what ran it; times under other conditions do not compare.
    """

    median_ms: float
    iqr_ms: float
    conditions: dict[str, str | int]


def measure(
    module: nn.Module,
    inputs: Sequence[Any],
    *,
    named: Mapping[str, Any] | None = None,
    repeats: int = 30,
    warmup: int = 5,
    device: torch.device | str = "cpu",
) -> Latency:
    """Times forward passes in eval mode, without gradients.

    Args:
        module: the network; moved to `device` and put into eval mode.
        inputs: its positional arguments: tensors, also in tuples, lists and dicts, are moved to `device`; anything else is
            passed as it is. The batch is the first tensor's first dimension.
        named: its keyword arguments, treated alike.
        repeats: passes timed, at least 2.
        warmup: passes run first and not timed.
        device: where to run.
    """
    device = torch.device(device)
    module = module.to(device).eval()
    placed, keywords = _placed(list(inputs), device), _placed(dict(named or {}), device)

    def forward() -> None:
        module(*placed, **keywords)
        _wait(device)

    _wait(device)
    with torch.inference_mode():
        return _timed(forward, conditions(device, placed), repeats, warmup)


def measure_onnx(file: Path, inputs: Sequence[Tensor], *, repeats: int = 30, warmup: int = 5, threads: int = 1) -> Latency:
    """Times passes of an exported network in onnxruntime on the CPU: what a user of `model.onnx` waits for.

    Args:
        file: an ONNX file, as `common.export.export_onnx` writes it.
        inputs: what it is run on, in order; the batch is the first one's first dimension.
        repeats: passes timed, at least 2.
        warmup: passes run first and not timed.
        threads: of onnxruntime within a pass.

    Raises:
        MissingPackages: onnxruntime is not installed.
        UserError: fewer than 2 passes are asked for.
    """
    with imports_of("export"):
        import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    given = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
    stated = conditions(torch.device("cpu"), inputs)
    del stated["torch"]
    stated |= {"threads": threads, "onnxruntime": str(onnxruntime.__version__)}
    return _timed(lambda: session.run(None, given), stated, repeats, warmup)


def _timed(run: Callable[[], object], stated: dict[str, str | int], repeats: int, warmup: int) -> Latency:
    """`repeats` runs timed under the conditions stated, after `warmup` others."""
    if repeats < 2:
        raise UserError(f"repeats={repeats}: a median with its spread needs at least 2 timed passes")
    times: list[float] = []
    for i in range(warmup + repeats):
        start = perf_counter()
        run()
        if i >= warmup:
            times.append(1000 * (perf_counter() - start))
    low, median, high = quantiles(times, n=4, method="inclusive")
    return Latency(median_ms=median, iqr_ms=high - low, conditions=stated)


def conditions(device: torch.device, inputs: Sequence[Any]) -> dict[str, str | int]:
    """What a time depends on besides the network."""
    first = next(iter(tensors_in(list(inputs))), None)  # an operation on a graph's edges may be given no tensor of its own
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
        **({} if first is None else {"dtype": str(first.dtype).removeprefix("torch."), "batch": len(first) if first.ndim else 1}),
        "torch": str(torch.__version__),
    }


def _placed(value: Any, device: torch.device) -> Any:
    """`value` with its tensors on `device`. What is no tensor and no container of them is where its maker put it."""
    match value:
        case Tensor():
            return value.to(device)
        case dict():
            return {key: _placed(part, device) for key, part in value.items()}
        case list() | tuple():
            parts = [_placed(part, device) for part in value]
            return parts if isinstance(value, list) else type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        case _:
            return value


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

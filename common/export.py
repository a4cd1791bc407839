"""A network as an ONNX file that gives the same numbers, and a script beside it that shows how to use it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from common.errors import NotExported, UserError
from common.extras import require
from common.run.files import write_atomic

TOLERANCE = 1e-4
"""Largest difference allowed between torch and onnxruntime, relative to the largest output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How well the exported network agrees with torch.

    Attributes:
        max_abs_diff: the largest absolute difference over all outputs.
        scale: the largest absolute output.
        dynamic_batch: whether the file takes any batch size.
    """

    max_abs_diff: float
    scale: float
    dynamic_batch: bool

    def facts(self) -> dict[str, float]:
        """As `export` prints it."""
        return {"onnx_max_abs_diff": self.max_abs_diff, "largest_output": self.scale, "dynamic_batch": self.dynamic_batch}


def export_onnx(
    module: nn.Module, inputs: Sequence[Tensor], path: Path, free: Sequence[Mapping[int, str]] | None = None
) -> Parity:
    """Writes `module` to `path` and checks it in onnxruntime on `inputs`.

    The batch is free where the network allows it, else the one of `inputs`; or so are the dimensions that `free` names.

    Args:
        module: a standalone network of tensors to a tensor, or a tuple or list of tensors; exported in
            eval mode and left as it was.
        inputs: example inputs, named `input0`, `input1`, ... in the file; outputs are `output0`, ...
        path: the file to write.
        free: for each input the dimensions that may differ, by name; by default the first of all inputs, `batch`.

    Raises:
        MissingPackages: those that the export needs are not installed; nothing is written.
        UserError: the numbers disagree by more than 1e-4 of the largest output.
    """
    require("export")
    modes = {part: part.training for part in module.modules()}  # of each: a fresh wrapper says nothing of what it wraps
    module.eval()
    try:
        with torch.inference_mode(False), torch.no_grad():
            expected = _listed(module(*inputs))
            names = [f"input{i}" for i in range(len(inputs))], [f"output{i}" for i in range(len(expected))]
            dynamic = _write(module, inputs, path, names, free)
    finally:
        for part, training in modes.items():
            part.training = training
    return _compare(path, names[0], inputs, expected, dynamic)


def _write(
    module: nn.Module,
    inputs: Sequence[Tensor],
    path: Path,
    names: tuple[list[str], list[str]],
    named: Sequence[Mapping[int, str]] | None,
) -> bool:
    # With a batch of one torch takes the size for a constant; two of the same keep it free.
    several = tuple(torch.cat([x, x]) if x.shape[0] == 1 and named is None else x for x in inputs)
    named = [{0: "batch"} for _ in inputs] if named is None else named
    dims = {name: torch.export.Dim(name) for of_input in named for name in of_input.values()}
    shapes = tuple({at: dims[name] for at, name in of_input.items()} for of_input in named)
    with _quiet():
        try:
            program = torch.export.export(module, several, dynamic_shapes=shapes)
            free = True
        except Exception:  # torch.export fails in many ways on a batch size that the network fixes; then it stays fixed
            program, free = torch.export.export(module, tuple(inputs)), False
        torch.onnx.export(
            program,
            f=path,
            input_names=names[0],
            output_names=names[1],
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    return free


def _compare(path: Path, names: list[str], inputs: Sequence[Tensor], expected: list[Tensor], dynamic: bool) -> Parity:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    got = session.run(None, {name: x.numpy() for name, x in zip(names, inputs, strict=True)})
    differences = [float(np.abs(np.asarray(g) - e.numpy()).max(initial=0.0)) for g, e in zip(got, expected, strict=True)]
    scale = max((float(e.abs().max()) for e in expected), default=0.0)
    worst = max(differences, default=0.0)
    if not worst <= TOLERANCE * max(scale, 1e-6):  # also when it is not a number
        raise UserError(
            f"{path}: onnxruntime differs from torch by {worst:.3g} where the largest output is {scale:.3g}, more than the "
            f"{TOLERANCE:g} allowed; do not use this file"
        )
    return Parity(max_abs_diff=worst, scale=scale, dynamic_batch=dynamic)


def _listed(out: object) -> list[Tensor]:
    if isinstance(out, Tensor):
        return [out]
    if isinstance(out, tuple | list):
        return [tensor for part in out for tensor in _listed(part)]
    raise NotExported(f"a network that returns {type(out).__name__} cannot be exported: it must return tensors, or lists of them")


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's talk about its own progress and about torch's internals says nothing to whoever exports."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for module in (r"torch\.", "onnxscript", "onnx_ir", "copyreg"):
            warnings.filterwarnings("ignore", module=module)
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def write_script(folder: Path, script: str, values: Mapping[str, object]) -> None:
    """Writes `use.py` beside `model.onnx`: a script that runs it without this package.

    Args:
        folder: the folder of `model.onnx`.
        script: its text; `@NAME@` stands for the value of `NAME`.
        values: name -> value, written as Python writes it.
    """
    for name, value in values.items():
        script = script.replace(f"@{name}@", repr(value))
    write_atomic(folder / "use.py", script.encode())

"""A network as an ONNX file that gives the same numbers, and a script beside it that shows how to use it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from common.errors import NotExported, UserError
from common.extras import require
from common.run.digests import record_digest
from common.run.files import write_atomic

TOLERANCE = 1e-4
"""Largest difference allowed between torch and onnxruntime, relative to the largest value of the same output."""
STEPS = frozenset({"Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Round", "Sign", "Floor", "Ceil"})
"""Operators of ONNX whose results jump."""
SHIFTS = 16
"""Shifted copies of the inputs that a network with steps is compared on where its outputs differ."""
SQUASHING = {
    torch.ops.aten._softmax: "Softmax",
    torch.ops.aten._log_softmax: "LogSoftmax",
    torch.ops.aten.sigmoid: "Sigmoid",
    torch.ops.aten.tanh: "Tanh",
}
"""Functions whose results hide differences of what they read, where they saturate, and their names in ONNX."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How well the exported network agrees with torch.

    Attributes:
        max_abs_diff: the largest absolute difference, in the output that differs most for its size. The scores before a last
            softmax, sigmoid or tanh count as an output.
        scale: the largest absolute value of this output.
        dynamic_batch: whether the file takes any batch size.
    """

    max_abs_diff: float
    scale: float
    dynamic_batch: bool

    def facts(self) -> dict[str, float]:
        """As `export` prints it."""
        return {"onnx_max_abs_diff": self.max_abs_diff, "largest_output": self.scale, "dynamic_batch": self.dynamic_batch}


def export_onnx(
    module: nn.Module,
    inputs: Sequence[Tensor],
    path: Path,
    free: Sequence[Mapping[int, str]] | None = None,
    others: Sequence[Sequence[Tensor]] = (),
) -> Parity:
    """Writes `module` to `path` and checks it in onnxruntime on `inputs`, and on `others`.

    The batch is free where the network allows it, else the one of `inputs`; or so are the dimensions that `free` names.

    Args:
        module: a standalone network of tensors to a tensor, or a tuple or list of tensors; exported in
            eval mode and left as it was.
        inputs: example inputs, named `input0`, `input1`, ... in the file; outputs are `output0`, ...
        path: the file to write.
        free: for each input the dimensions that may differ, by name; by default the first of all inputs, `batch`.
        others: further inputs, which differ from `inputs` in free dimensions. The file must take them.

    A network with steps (signs, say), in which a rounding error can turn an activation, may differ on `inputs` and on a quarter
    of their `SHIFTS` shifted copies.

    Raises:
        MissingPackages: those that the export needs are not installed; nothing is written.
        NotExported: the network fixes dimensions that differ in `others`; no file is left.
        UserError: the numbers of an output, or of the scores before its last softmax, sigmoid or tanh, disagree by more than 1e-4
            of its largest.
    """
    require("export")
    with _evaluated(module):
        with _Squashed() as squashed:
            expected = _listed(module(*inputs))
        again = [_listed(module(*other)) for other in others]
        names = [f"input{i}" for i in range(len(inputs))], [f"output{i}" for i in range(len(expected))]
        dynamic = _write(module, inputs, path, names, free)
    if others and not dynamic:
        path.unlink()
        raise NotExported("the network cannot be exported for inputs of any size: it fixes the size that it was exported with")
    given = {name: x.cpu().numpy() for name, x in zip(names[0], inputs, strict=True)}
    found = [*zip(_run(path, given), expected, strict=True), *_scores(path, given, [squashed.before(out) for out in expected])]
    for other, outputs in zip(others, again, strict=True):
        differing = {name: x.cpu().numpy() for name, x in zip(names[0], other, strict=True)}
        found += zip(_run(path, differing), outputs, strict=True)
    try:
        diff, scale = agreement(path, found)
    except UserError:
        if not _has_steps(path):
            raise
        diff, scale = _mostly(path, names[0], module, inputs)
    record_digest(path)
    return Parity(max_abs_diff=diff, scale=scale, dynamic_batch=dynamic)


@contextmanager
def _evaluated(module: nn.Module) -> Iterator[None]:
    """In the block a network is in eval mode, without gradients; it is left as it was."""
    modes = {part: part.training for part in module.modules()}  # of each: a fresh wrapper says nothing of what it wraps
    module.eval()
    try:
        with torch.inference_mode(False), torch.no_grad():
            yield
    finally:
        for part, training in modes.items():
            part.training = training


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
    module = _Within(module)
    with _quiet():
        try:
            program = torch.export.export(module, several, dynamic_shapes=(shapes,))
            free = True
        except Exception:  # torch.export fails in many ways on a batch size that the network fixes; then it stays fixed
            program, free = torch.export.export(module, tuple(inputs)), False
        for optimise in (True, False):
            torch.onnx.export(
                program,
                f=path,
                input_names=names[0],
                output_names=names[1],
                dynamo=True,
                external_data=False,
                verbose=False,
                optimize=optimise,
            )
            if _is_whole(path):
                break
    return free


def _is_whole(path: Path) -> bool:
    """Whether every input of every node is there: torch 2.14's exporter merges two equal clamps of one tensor badly."""
    import onnx

    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError:
        return False
    return True


class _Within(nn.Module):
    """A module as part of another one.

    Names of its parameters and buffers have a dot then. A buffer `mean` is otherwise taken for the result of an operation `mean`
    on constants, and the exporter fails.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Any:
        """What the module makes of the inputs."""
        return self.network(*inputs)


class _Squashed(TorchDispatchMode):
    """In the block, what softmax, sigmoid and tanh read is remembered."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: list[tuple[Tensor, Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in SQUASHING:
            self._seen.append((result, args[0]))
        return result

    def before(self, output: Tensor) -> Tensor | None:
        """What the function read whose result `output` is; None if it is that of another one."""
        place = output.data_ptr(), output.shape
        return next((read for result, read in self._seen if (result.data_ptr(), result.shape) == place), None)


def _run(model: Path | bytes, given: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    import onnxruntime

    source = model if isinstance(model, bytes) else str(model)
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    return [np.asarray(out) for out in session.run(None, dict(given))]


def _scores(
    path: Path, given: Mapping[str, NDArray[Any]], expected: Sequence[Tensor | None]
) -> list[tuple[NDArray[Any], Tensor]]:
    """Of the outputs that are squashed scores: the scores in the file, and those of torch (given in the order of the outputs).

    Raises:
        UserError: the scores of an output are not to be found in the file.
    """
    if all(scores is None for scores in expected):
        return []
    import onnx

    model = onnx.load(path)
    made = {name: node for node in model.graph.node for name in node.output}
    wanted = []
    for output, scores in zip(list(model.graph.output), expected, strict=True):
        if scores is None:
            continue
        node = made[output.name]
        if node.op_type not in SQUASHING.values():
            raise UserError(
                f"{path}: the scores before {output.name}, which end in {node.op_type}, cannot be compared with torch's; do not "
                "use this file"
            )
        wanted.append(scores)
        model.graph.output.append(onnx.ValueInfoProto(name=node.input[0]))
    return list(zip(_run(model.SerializeToString(), given)[len(expected) :], wanted, strict=True))


def agreement(path: Path, found: Sequence[tuple[NDArray[Any], Tensor]]) -> tuple[float, float]:
    """Largest absolute difference in the output that differs most for its size, and largest absolute value of this output.

    Args:
        path: the file, for the message.
        found: outputs of the file and of torch.

    Raises:
        UserError: an output differs by more than 1e-4 of its largest value.
    """
    worst = 0.0, max((float(e.abs().max()) for _, e in found if e.numel()), default=0.0)
    for got, expected in found:
        there = expected.cpu().numpy()
        difference, scale = float(np.abs(got - there).max(initial=0.0)), float(np.abs(there).max(initial=0.0))
        if not difference <= TOLERANCE * max(scale, 1e-6):  # also when it is not a number
            raise UserError(
                f"{path}: onnxruntime differs from torch by {difference:.3g} where the largest output is {scale:.3g}, more than "
                f"the {TOLERANCE:g} allowed; do not use this file"
            )
        if difference * max(worst[1], 1e-6) > worst[0] * max(scale, 1e-6):
            worst = difference, scale
    return worst


def _has_steps(path: Path) -> bool:
    """Whether a network compares or rounds numbers: signs of binary activations, say, which rounding errors can turn."""
    import onnx

    return any(node.op_type in STEPS for node in onnx.load(path).graph.node)


def _mostly(path: Path, names: Sequence[str], module: nn.Module, inputs: Sequence[Tensor]) -> tuple[float, float]:
    """The worst agreement among shifted copies of the inputs; a rounding error that turns a sign changes a few of them alone.

    Raises:
        UserError: less than three quarters of them agree.
    """
    agreed: list[tuple[float, float]] = []
    refused: list[UserError] = []
    with _evaluated(module):
        for k in range(1, SHIFTS + 1):
            shifted = [x.roll(k, -1) for x in inputs]
            with _Squashed() as squashed:
                expected = _listed(module(*shifted))
            given = {name: x.cpu().numpy() for name, x in zip(names, shifted, strict=True)}
            scores = _scores(path, given, [squashed.before(out) for out in expected])
            try:
                agreed.append(agreement(path, [*zip(_run(path, given), expected, strict=True), *scores]))
            except UserError as error:
                refused.append(error)
    if 4 * len(refused) > SHIFTS:
        raise refused[0]
    return max(agreed, key=lambda pair: pair[0] / max(pair[1], 1e-6))


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


_SESSION = '''def open_session():
    """The network, if model.onnx is the file that was exported."""
    import hashlib
    import json
    import sys
    from pathlib import Path

    import onnxruntime

    model = Path(__file__).with_name("model.onnx")
    record = model.with_name("model.onnx.json")
    try:
        if record.exists() and json.loads(record.read_bytes())["sha256"] != hashlib.sha256(model.read_bytes()).hexdigest():
            sys.exit(f"{model} is damaged: its SHA-256 is not that of {record.name}; export the network again")
        return onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"{model} or {record.name} cannot be read ({type(error).__name__}); export the network again")
'''
"""What every script opens its network with."""


def write_script(folder: Path, script: str, values: Mapping[str, object]) -> None:
    """Writes `use.py` beside `model.onnx`: a script that runs it without this package.

    Args:
        folder: the folder of `model.onnx`.
        script: its text; `@NAME@` stands for the value of `NAME`. `open_session()` in it opens the network.
        values: name -> value, written as Python writes it.
    """
    script = script.replace("\ndef main(", f"\n{_SESSION}\n\ndef main(", 1)
    for name, value in values.items():
        script = script.replace(f"@{name}@", repr(value))
    write_atomic(folder / "use.py", script.encode())

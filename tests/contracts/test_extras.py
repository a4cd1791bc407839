"""What every task does where packages of an extra are missing: a run ends before it begins, the export alone is left out."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from common import export
from common.errors import UserError
from common.extras import MissingPackages, modules_of
from common.options import RunOptions
from common.stages.run import run
from common.system import System
from common.system_task import SystemTask
from tests.contracts.cases import SYSTEMS, filled

IDS = [f"{task}-{system.name}" for task, system in SYSTEMS]
NEEDY = [(task, system, module) for task, system in SYSTEMS for module in modules_of(task)]


@pytest.mark.parametrize(("task", "system", "module"), NEEDY, ids=[f"{t}-{s.name}-{m}" for t, s, m in NEEDY])
def test_a_missing_package_ends_a_run_before_data_are_read_and_a_folder_is_made(task, system, module, tmp_path, monkeypatch):
    method = system.methods[0]
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(System, "make", lambda *_: pytest.fail("work was spent"))
    said = rf"^{module} not installed: {task} needs it; run pip install 'tasknas\[{task}\]'$"
    with pytest.raises(MissingPackages, match=said):
        run(system, method, method.recipes["smoke"](), RunOptions(out=str(tmp_path / "run")))
    assert not (tmp_path / "run").exists()


def test_every_task_with_an_extra_is_tried():
    assert {task for task, _, _ in NEEDY} == {"binary", "detection", "gan", "graphs", "segmentation"}


@pytest.fixture(scope="module", params=[system for _, system in SYSTEMS], ids=IDS)
def found(request, tmp_path_factory) -> tuple[SystemTask, nn.Module]:
    """The task of a smoke run, and a network of it whose norms know its activations: a change of weights is seen far off."""
    made = request.param.make(request.param.methods[0].recipes["smoke"](), tmp_path_factory.mktemp("run") / "weights")
    network = made.network(made.baseline, 0)
    norms = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        with torch.no_grad():
            network.train()(*(filled(torch.cat([x, x]) if x.dtype == torch.uint8 else x) for x in made.facts.example()))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return made, network.eval()


def test_without_onnx_the_export_of_a_task_says_so_and_writes_nothing(found, tmp_path, monkeypatch):
    made, network = found
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(
        MissingPackages, match=r"^onnxscript not installed: export needs it; run pip install 'tasknas\[export\]'$"
    ):
        made.export(network, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_export_is_noticed_though_the_scores_saturate(found, tmp_path, monkeypatch):
    """The file is played by the network itself, whose first weights are one percent larger there."""
    made, network = found
    weights = [parameter for parameter in network.parameters() if parameter.ndim >= 2]
    changed = weights[0], weights[-1]  # the signs behind the first one do not change in a binary network
    written: dict[str, Any] = {}

    def write(module: nn.Module, inputs: Sequence[Tensor], path: Path, *_: object) -> bool:
        written["module"] = module
        path.write_bytes(b"onnx")
        return True

    def outputs(given: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray | None]]:
        with torch.no_grad(), export._Squashed() as squashed:
            for weight in changed:
                weight.mul_(written["change"])
            listed = export._listed(written["module"].eval()(*map(torch.from_numpy, given.values())))
            for weight in changed:
                weight.div_(written["change"])
        before = [squashed.before(out) for out in listed]
        return [(out.numpy(), None if read is None else read.numpy()) for out, read in zip(listed, before, strict=True)]

    monkeypatch.setattr(export, "_write", write)
    monkeypatch.setattr(export, "_has_steps", lambda _: True)  # and though a few inputs may differ
    monkeypatch.setattr(export, "_run", lambda _, given: [out for out, _ in outputs(given)])
    monkeypatch.setattr(
        export,
        "_scores",
        lambda _, given, expected: [(read, e) for (_, read), e in zip(outputs(given), expected, strict=True) if e is not None],
    )
    with torch.no_grad():
        weights[-1].mul_(1000)
    try:
        written["change"] = 1.0
        assert made.export(network, tmp_path) == 0
        written["change"] = 1.01
        with pytest.raises(UserError, match="onnxruntime differs from torch by"):
            made.export(network, tmp_path)
    finally:
        with torch.no_grad():
            weights[-1].div_(1000)

"""What every task does where packages of an extra are missing: a run ends before it begins, the export alone is left out."""

import sys

import pytest

from common.extras import MissingPackages, modules_of
from common.options import RunOptions
from common.stages.run import run
from common.system import System
from tests.contracts.cases import SYSTEMS

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
    assert {task for task, _, _ in NEEDY} == {"detection", "gan", "graphs", "segmentation"}


@pytest.mark.parametrize(("task", "system"), SYSTEMS, ids=IDS)
def test_without_onnx_the_export_of_a_task_says_so_and_writes_nothing(task, system, tmp_path, monkeypatch):
    made = system.make(system.methods[0].recipes["smoke"](), tmp_path / "weights")
    network = made.network(made.baseline, 0)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    (tmp_path / "best").mkdir()
    with pytest.raises(
        MissingPackages, match=r"^onnxscript not installed: export needs it; run pip install 'tasknas\[export\]'$"
    ):
        made.export(network, tmp_path / "best")
    assert list((tmp_path / "best").iterdir()) == []

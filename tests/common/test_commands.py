"""Commands made from declarations: methods with stages of their own, systems without a supernet, help, unknown names."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from common.cli import COMMANDS
from common.commands import run_commands
from common.listing import engine_kinds, evaluation_kinds
from common.run.files import Jsonl
from common.script import main
from common.stages.standard import search_stages
from tests.toy import model
from tests.toy.system import METHOD, SYSTEM

SHORT = ["train.steps=1", "search.trials=2", "search.random_baseline=false", "pictures=0", "search.engine=random"]
SHORT += ["retrain.seeds=1", "retrain.random_archs=0"]


def call(system, *words: str) -> None:
    run_commands("toy", (system,), words)


def stages_of(out: Path) -> list[str]:
    return [row["stage"] for row in Jsonl(out / "stages.jsonl").rows()]


def found_only(task):
    """A search and nothing after it."""
    before, _ = search_stages(task)
    return before


def fixed(settings, facts):
    """Networks that are built one by one: no supernet."""
    return replace(model.networks(settings, facts), has_supernet=False)


def alone(task, kind):
    return model.phases(task, kind) if kind == "standalone" else []


WITHOUT_SUPERNET = replace(SYSTEM, networks=fixed, phases=alone)


def test_a_method_can_have_stages_of_its_own(tmp_path):
    quick = replace(METHOD, name="quick", stages=found_only)
    system = replace(SYSTEM, methods=(METHOD, quick))
    call(system, "quick", "--workers", "0", "--quiet", "--out", str(tmp_path / "run"), "--set", *SHORT)
    assert stages_of(tmp_path / "run") == ["search"]


def test_a_system_needs_no_supernet(tmp_path, monkeypatch):
    monkeypatch.setattr("common.system_task.SystemTask.export", lambda task, network, folder: 0.0)
    call(WITHOUT_SUPERNET, "mynet", "--workers", "0", "--quiet", "--out", str(tmp_path / "run"), "--set", *SHORT)
    assert stages_of(tmp_path / "run") == ["search", "retrain", "export"]


def test_without_onnx_a_run_leaves_the_export_out_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    out = tmp_path / "run"
    call(SYSTEM, "mynet", "--workers", "0", "--out", str(out), "--set", *SHORT, "search.evaluation=scratch")
    note = "best/ has no ONNX file: onnxscript not installed: export needs it; run pip install 'tasknas[export]', then "
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if line.startswith("note: best/")] == [
        f"note: {note}`tasknas export RUN`, or Run(RUN).export() in Python"
    ]
    assert note.replace("'", "&#39;") in (out / "report.html").read_text(encoding="utf-8")
    assert {file.name for file in (out / "best").iterdir()} == {
        "arch.json",
        "metrics.json",
        "model.safetensors",
        "model.safetensors.json",
    }
    with pytest.raises(SystemExit) as stopped:
        main("tasknas", COMMANDS, ["export", str(out)])
    line = capsys.readouterr().err
    assert stopped.value.code == 2
    assert line == "error: onnxscript not installed: export needs it; run pip install 'tasknas[export]'\n"
    assert not (out / "exported").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("search.evaluation=inherited", "mynet has no supernet to inherit weights from; give scratch"),
        ("search.engine=gradient", "mynet has no training of a relaxed supernet; give another engine"),
    ],
)
def test_without_a_supernet_what_needs_one_is_refused(setting, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        words = ["--workers", "0", "--quiet", "--out", str(tmp_path / "run"), "--set", *SHORT, setting]
        call(WITHOUT_SUPERNET, "mynet", *words)
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and said in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_help_lists_every_engine_and_evaluation_with_its_settings(capsys):
    with pytest.raises(SystemExit):
        call(SYSTEM, "mynet", "--help")
    said = capsys.readouterr().out
    for kind in (*engine_kinds(), *evaluation_kinds()):
        assert f"\n  {kind().name}" in said
    assert "topk: population=50, mutants=20" in said and "scratch: fidelity=1.0, cuts=1" in said


def test_describe_prints_a_published_network_and_refuses_an_unknown_system(capsys):
    call(SYSTEM, "describe", "mynet", "--arch", "MyNet-L")
    assert '"params": 1514' in capsys.readouterr().out
    for words in (["describe", "yolo", "--arch", "x"], ["describe", "mynet", "--arch", "x"]):
        with pytest.raises(SystemExit) as stopped:
            call(SYSTEM, *words)
        assert stopped.value.code == 2 and capsys.readouterr().err.count("\n") == 1

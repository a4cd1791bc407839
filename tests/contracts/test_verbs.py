"""Every command for finished runs and for architectures, on every system listed; see `tests.contracts.runs`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from common import export
from common.cost import measuring
from common.export import Parity
from common.stages.reload import reload
from tasknas.__main__ import main
from tests.contracts.cases import SYSTEMS
from tests.contracts.runs import finished, item

LISTED = [(task, system) for task, system in SYSTEMS if task != "toy"]


@pytest.fixture(scope="module", params=LISTED, ids=[f"{task}-{system.name}" for task, system in LISTED])
def made(request, tmp_path_factory):
    """A system and a finished run of it."""
    _, system = request.param
    return system, finished(system, tmp_path_factory.mktemp(system.name) / "run")


def said(capsys, *words: object) -> str:
    """What a command prints."""
    capsys.readouterr()
    main([str(word) for word in words])
    return capsys.readouterr().out


def test_systems_without_spaces_are_those_without_a_supernet(made):
    system, run = made
    assert bool(system.spaces()) == reload(run).networks.has_supernet


def test_describe_counts_the_found_network(made, capsys):
    system, run = made
    counts = json.loads(said(capsys, "describe", system.name, "--arch", run / "best" / "arch.json"))
    assert counts["params"] > 0 and counts["macs"] > 0


def test_latency_table_measures_every_decision_and_its_own_error(made, capsys, monkeypatch):
    _, run = made
    monkeypatch.setattr(measuring, "measure", partial(measuring.measure, warmup=0))  # a fourth of the time
    printed = said(capsys, "latency-table", run, "--repeats", "2", "--archs", "2")
    found = json.loads((run / "latency.json").read_text())
    assert len(found["rows"]) == len(printed.splitlines()) - 1 > 1
    assert all(len(row) == len(found["labels"][path]) and row[0] == 0 for path, row in found["rows"].items())
    assert found["base_ms"] > 0 and found["check"]["n"] == 2
    assert f"off by {found['check']['median_percent']:.1f} % (median)" in printed.splitlines()[-1]


def test_predict_reads_a_file_of_its_task(made, capsys, tmp_path):
    _, run = made
    file = item(run, tmp_path)
    (line,) = said(capsys, "predict", run, file, "--out", tmp_path / "out").splitlines()
    row = json.loads(line)
    assert str(file) in row.values() and any(Path(str(value)).parent == tmp_path / "out" for value in row.values())


def test_export_runs_the_network_and_writes_what_belongs_to_it(made, capsys, tmp_path, monkeypatch):
    """Without the ONNX library, which takes most of the time; each task's own tests compare its files with torch."""
    _, run = made
    same = Parity(max_abs_diff=0.0, scale=1.0, dynamic_batch=True)
    monkeypatch.setattr("common.export._write", lambda module, inputs, path, names, free: bool(path.write_bytes(b"onnx")))
    outputs, listed = [], export._listed
    monkeypatch.setattr(export, "_listed", lambda out: outputs.append(listed(out)) or outputs[-1])
    monkeypatch.setattr("common.export._run", lambda path, given: [out.numpy() for out in outputs[-1]])
    monkeypatch.setattr("common.export._scores", lambda path, given, squashed: [])
    monkeypatch.setattr("common.export.agreement", lambda path, found: (same.max_abs_diff, same.scale))
    row = json.loads(said(capsys, "export", run, "--out", tmp_path / "out"))
    assert row == {"folder": str(tmp_path / "out"), **same.facts()}
    assert {"arch.json", "model.onnx", "use.py"} <= {path.name for path in (tmp_path / "out").iterdir()}
    (tmp_path / "out" / "model.onnx").write_bytes(b"onny")
    ended = subprocess.run([sys.executable, tmp_path / "out" / "use.py", "x"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(r".*model\.onnx is damaged: its SHA-256 is not that of model\.onnx\.json; export the .*\n", ended.stderr)


def test_compare_has_a_line_of_the_run(made, capsys):
    system, run = made
    printed = said(capsys, "compare", run)
    assert system.methods[0].name in printed and run.name in printed


def test_report_is_written_again(made, capsys):
    _, run = made
    assert said(capsys, "report", run) == f"{run / 'report.html'}\n"

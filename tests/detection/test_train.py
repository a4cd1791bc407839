"""DetNAS from the command line to the report: what a run leaves, what decides it, and that kills leave no trace."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file

from common.export import Parity
from common.streams import stream
from tests.common.run.rows import lines, rows
from tests.detection.micro import RESULTS, SETTINGS, call, kill_when, results, words

pytest.importorskip("mmdet")
from detection import facts

pytestmark = [pytest.mark.xdist_group("micro"), pytest.mark.timeout(600)]

PNG = b"\x89PNG"
STAGES = ["supernet warm-up", "supernet pretrain", "supernet detect", "search", "random search", "retrain", "export"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A micro run that was never disturbed."""
    path = tmp_path_factory.mktemp("micro") / "run"
    call(words(path))
    return path


def same(one: Path, other: Path) -> None:
    """Both runs computed the same, as far as the export."""
    a, b = results(one), results(other)
    for exported in ("best/model.onnx", "best/model.onnx.json", "best/use.py"):
        del b[exported]
        a.pop(exported, None)
    b["stages"][-1]["result"] = a["stages"][-1]["result"] = {}
    assert a.keys() == b.keys()
    for name in a:
        assert a[name] == b[name], name


def test_every_stage_ran_and_left_its_files(finished):
    assert [row["stage"] for row in rows(finished, "stages")] == STAGES
    assert [row["id"] for row in rows(finished, "trials")] == list(range(6))
    assert [row["id"] for row in rows(finished, "random")] == list(range(6))
    for row in rows(finished, "trials"):
        assert row["status"] == "ok" and {"AP", "AP50"} <= row["scores"].keys()
        assert row["cost"]["macs_backbone"] <= 12.5e6
    assert [row["name"] for row in rows(finished, "retrained")] == ["searched", "random 1", "baseline"]
    for row in rows(finished, "retrained"):
        assert row["val"].keys() == row["test"].keys() == row["inherited"].keys()
    steps = {row["stage"] for row in rows(finished, "metrics")}
    assert steps == {*STAGES[:3], "retrain searched #0", "retrain random 1 #0", "retrain baseline #0"}
    config = json.loads((finished / "config.json").read_text())
    assert config["settings"]["data"]["train"] == 48 and config["data"]["images"] == {"train": 48, "val": 24, "test": 24}
    assert len(json.loads((finished / "space.json").read_text())["decisions"]) == 8
    samples = json.loads((finished / "samples" / "samples.json").read_text())
    assert len(samples) == 2 and all((finished / "samples" / row["file"]).read_bytes().startswith(PNG) for row in samples)
    assert (
        load_file(finished / "best" / "model.safetensors").keys()
        == load_file(finished / "retrained" / "searched-0.safetensors").keys()
    )
    best = json.loads((finished / "best" / "metrics.json").read_text())
    assert best["test"] == rows(finished, "retrained")[0]["test"]
    report = (finished / "report.html").read_text()
    assert report.startswith("<!doctype html") or report.startswith("<!DOCTYPE html")
    assert "DetNAS" in report and 'src="http' not in report


def test_the_exported_network_runs_on_an_image_file(finished, tmp_path):
    picture = tmp_path / "x.png"
    Image.new("RGB", (90, 60), "white").save(picture)
    done = subprocess.run(
        [sys.executable, finished / "best" / "use.py", picture], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr


def test_resuming_a_finished_run_changes_nothing(finished, capsys):
    before, times = results(finished), {p: p.stat().st_mtime_ns for p in finished.rglob("*.jsonl")}
    report = (finished / "report.html").read_bytes()
    call(words(finished, "--resume"))
    assert results(finished) == before
    assert times == {p: p.stat().st_mtime_ns for p in finished.rglob("*.jsonl")}
    assert (finished / "report.html").read_bytes() == report
    assert capsys.readouterr().out == f"{finished}/report.html\n"


def test_a_used_folder_is_not_touched(finished, capsys):
    before = results(finished)
    with pytest.raises(SystemExit) as stop:
        call(words(finished))
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"error: {finished} holds a run; give --resume to continue it or another --out\n"
    assert results(finished) == before


def test_another_seed_is_named(finished, capsys):
    with pytest.raises(SystemExit) as stop:
        call(words(finished, "--resume", "--seed", "5"))
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {finished} was started with other settings: seed was 0, is now 5; ")
    assert error.count("\n") == 1


def test_another_space_is_named(finished, capsys):
    with pytest.raises(SystemExit) as stop:
        call(words(finished, "--resume", settings=(*SETTINGS, "data.classes=4")))
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert str(finished) in error and error.count("\n") == 1


@pytest.mark.slow
def test_three_kills_leave_no_trace(finished, tmp_path, monkeypatch):
    """Early, in the middle of a training; in the search; late, in the retraining. The moments after the event are random."""
    path = tmp_path / "run"
    rng = stream(0, "kills")
    events = [
        lambda: (path / "checkpoints" / "supernet detect" / "state.json").exists(),
        lines(path, "trials", 2),
        lambda: (path / "checkpoints" / "retrain-random-1-0-detect" / "state.json").exists(),
    ]
    for event in events:
        pause = rng.uniform(0, 0.2)

        def later(event=event, pause=pause) -> bool:
            return event() and (time.sleep(pause) is None)

        assert kill_when(words(path, *(["--resume"] if path.exists() else [])), later) == -signal.SIGKILL
        assert not (path / "report.html").exists()
    monkeypatch.setattr(facts, "export", no_export)
    call(words(path, "--resume"))
    same(path, finished)
    assert 0 < json.loads((path / "retrained.jsonl").read_text().splitlines()[1])["seconds"] < 100


@pytest.mark.slow
def test_the_seed_decides_and_nothing_else(finished, tmp_path):
    """A worker instead of none, and checkpoints at other steps: the same. Another seed: another run."""
    spread, other = tmp_path / "spread", tmp_path / "other"
    argv = words(spread, workers=1, settings=[*SETTINGS, "save_every=3"])
    assert kill_when(argv, lines(spread, "retrained", 3)) == -signal.SIGKILL  # the export is that of every other test
    undisturbed = results(finished)
    found = results(spread)
    for name in (*RESULTS, "retrained/searched-0.safetensors", "retrained/baseline-0.safetensors"):
        assert found[name] == undisturbed[name], name

    assert kill_when(words(other, "--seed", "1"), lines(other, "trials", 3)) == -signal.SIGKILL
    trials = rows(other, "trials")[:3]
    assert all(one["arch"] != two["arch"] for one, two in zip(trials, undisturbed["trials"]))
    assert (other / "weights" / "warm-up.safetensors").read_bytes() != undisturbed["weights/warm-up.safetensors"]


def test_a_bug_in_a_stage_loses_nothing(finished, tmp_path, monkeypatch):
    path = before_export(finished, tmp_path)
    kept = results(path)
    monkeypatch.setattr(facts, "export", crash)
    with pytest.raises(RuntimeError, match="a bug"):
        call(words(path, "--resume"))
    assert kept.items() <= results(path).items() and rows(path, "stages") == rows(finished, "stages")[:-1]
    monkeypatch.setattr(facts, "export", no_export)
    call(words(path, "--resume"))
    same(path, finished)


def before_export(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run that has its last stage to do."""
    path = shutil.copytree(finished, tmp_path / "copy")
    shutil.rmtree(path / "best")
    shutil.rmtree(path / "samples")
    lines = (path / "stages.jsonl").read_bytes().splitlines(keepends=True)
    (path / "stages.jsonl").write_bytes(b"".join(lines[:-1]))
    return path


def no_export(*_: object) -> Parity:
    """Instead of the export, which takes as long as all other stages and has tests of its own."""
    return Parity(max_abs_diff=0.0, scale=1.0, dynamic_batch=True)


def crash(*_: object) -> None:
    raise RuntimeError("a bug")

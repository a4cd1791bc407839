"""A search from the command line to the report: what a run leaves, what decides it, and that kills leave no trace."""

from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from classification.darts.methods import METHODS
from classification.darts.settings import NetworkSettings
from classification.task import ClassificationTask
from common.cost.bounds import cheapest, dearest
from common.run.folder import RunFolder
from common.stages.reload import reload, retrained
from tests.classification.micro import SETTINGS, call, made, results, tiny, words
from tests.common.run.killing import die, forked, status

pytestmark = [pytest.mark.xdist_group("classification-micro"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A micro run that was never disturbed."""
    path = tmp_path_factory.mktemp("darts") / "run"
    call(words(path))
    return path


def test_every_stage_ran_and_left_its_files(finished):
    found = results(finished)
    assert [row["stage"] for row in found["stages"]] == ["search", "drawing", "retrain", "export"]
    assert [row["name"] for row in found["retrained"]] == ["searched", "random 1", "baseline"]
    for row in found["retrained"]:
        assert row["val"].keys() == row["test"].keys() == {"accuracy", "loss"}
        assert 0 <= row["test"]["accuracy"] <= 1
        assert "none" not in row["arch"].values()
    searched = found["stages"][0]["result"]
    assert searched["arch"] == found["retrained"][0]["arch"] and searched["snapshots"] == 3
    looked = [row["values"] for row in found["metrics"] if row["stage"] == "search" and "entropy" in row["values"]]
    assert len(looked) == 3 and all("skip_share" in values for values in looked)
    config = json.loads((finished / "config.json").read_text())
    assert (config["system"], config["title"], config["data"]["image_size"]) == ("darts", "DARTS, first order", 8)
    report = (finished / "report.html").read_text()
    for shown in ("DARTS, first order", "sep_conv_3x3", "search: entropy", "search: skip_share", "normal cell"):
        assert shown in report, shown
    assert len(json.loads((finished / "samples" / "samples.json").read_text())) == 2


def test_the_exported_network_runs_on_an_image_file_like_the_run(finished, tmp_path):
    picture = tmp_path / "x.png"
    pixels = np.random.default_rng(0).integers(0, 256, (12, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(picture)
    script = [sys.executable, finished / "best" / "use.py", picture]
    done = subprocess.run(script, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)["classes"]
    reloaded = reload(finished)
    network, _, _ = retrained(finished, reloaded, "searched", 0)
    (row,) = reloaded.facts.predict(network.eval(), [picture], tmp_path)
    assert row["classes"].keys() == said.keys() and len(said) == 5
    assert all(said[name] == pytest.approx(value, abs=2e-4) for name, value in row["classes"].items())
    with Image.open(row["picture"]) as drawn:
        assert drawn.size[0] > 100
    assert reloaded.facts.example()[0].shape == (1, 3, 8, 8)
    with torch.no_grad():
        assert network(*reloaded.facts.example()).shape == (1, 10)


def test_resuming_a_finished_run_changes_nothing(finished, capsys):
    before, report = results(finished), (finished / "report.html").read_bytes()
    call(words(finished, "--resume"))
    assert results(finished) == before and (finished / "report.html").read_bytes() == report
    assert capsys.readouterr().out == f"{finished}/report.html\n"
    with pytest.raises(SystemExit) as stop:
        call(words(finished, "--resume", settings=[*SETTINGS, "search.engine.snapshots=2"]))
    assert stop.value.code == 2 and "search.engine.snapshots was 3, is now 2" in capsys.readouterr().err


def test_kills_leave_no_trace(finished, tmp_path, monkeypatch):
    """In the search, between two checkpoints, and in the retraining."""
    monkeypatch.setattr(ClassificationTask, "export", lambda self, network, folder: 0.0)
    path = tmp_path / "run"
    for method, at in (("append_metrics", 3), ("append_retrained", 1)):

        def work(method=method, at=at):
            real, calls = getattr(RunFolder, method), iter(range(1000))

            def dying(self, *values):
                if next(calls) == at:
                    die()
                real(self, *values)

            setattr(RunFolder, method, dying)
            call(words(path, *(["--resume"] if path.exists() else [])))

        assert status(forked(work)) == -signal.SIGKILL
    call(words(path, "--resume"))
    undisturbed, found = results(finished), results(path)
    for one in (undisturbed, found):
        one["stages"][-1]["result"] = {}
    assert found == undisturbed


def test_a_full_disk_is_told_and_survived(finished, tmp_path, monkeypatch, capfd):
    """Checkpoints do not fit, then the export does not; each time everything written before is kept, and the run goes on."""
    path = tmp_path / "run"
    assert status(forked(lambda: (limit(100_000), call(words(path))))) == 2
    error = capfd.readouterr().err
    assert re.fullmatch(
        rf"error: cannot write {path}/\S.*: the file size limit is reached; .* kept; free some .*--resume\n", error
    )
    assert not (path / "stages.jsonl").exists() and not list(path.glob("checkpoints/*"))

    late = shutil.copytree(finished, tmp_path / "late")
    shutil.rmtree(late / "best")
    shutil.rmtree(late / "samples")
    done = (late / "stages.jsonl").read_bytes().splitlines(keepends=True)
    (late / "stages.jsonl").write_bytes(b"".join(done[:-1]))
    before = results(late)
    assert status(forked(lambda: (limit(130_000), call(words(late, "--resume"))))) == 2
    error = capfd.readouterr().err
    assert error.startswith("error: cannot write ") and error.count("\n") == 1 and "the file size limit is reached" in error
    assert before.items() <= results(late).items()

    monkeypatch.setattr(ClassificationTask, "export", lambda self, network, folder: 0.0)
    undisturbed = results(finished)
    undisturbed["stages"][-1]["result"] = {}
    call(words(late, "--resume"))
    found = results(late)
    found["stages"][-1]["result"] = {}
    assert found == undisturbed


def limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_budget_holds_for_all_but_the_hand_made_network(tmp_path, monkeypatch):
    """For random search at the cost of the search as well."""
    monkeypatch.setattr(ClassificationTask, "export", lambda self, network, folder: 0.0)
    task = made(tiny(network=NetworkSettings(width=2, cells=3, drop_path=0.0, auxiliary=0.0, cutout=0)))
    price, _ = task.networks.price("macs")
    low, high = cheapest(price, "macs").value, dearest(price, "macs").value
    upper = low + (high - low) // 3
    equal = ("search.random_baseline=true", "search.engine.rivals=2", "weights.steps=2", "search.engine.snapshots=1")
    settings = [*SETTINGS, "network.cells=3", "search.engine.cost=dual", *equal, "train.steps=20"]
    call(words(tmp_path / "run", "--budget", f"macs={upper}", settings=settings))
    rows = results(tmp_path / "run")["retrained"]
    assert [row["name"] for row in rows] == ["searched", "random 1", "random search", "baseline"]
    assert all(low <= row["cost"]["macs"] <= upper and "none" not in row["arch"].values() for row in rows[:3])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["darts2", "snas", "pc-darts", "gold-nas", "fair-darts", "mile-nas", "da-nas"])
def test_every_method_goes_from_images_to_a_report(method, tmp_path, monkeypatch):
    monkeypatch.setattr(ClassificationTask, "export", lambda self, network, folder: 0.0)
    few_steps = {  # six of them move no gate above 0.85, and none below 0.05
        "fair-darts": ["search.engine.threshold=0.5"],
        "gold-nas": ["search.engine.arch.lr=0.3", "search.engine.prune.threshold=0.4"],
    }
    call(words(tmp_path / "run", method=method, settings=[*SETTINGS, *few_steps.get(method, [])]))
    assert METHODS[method].title in (tmp_path / "run" / "report.html").read_text()
    rows = results(tmp_path / "run")["retrained"]
    assert ("none" in rows[1]["arch"].values()) <= (method == "snas")

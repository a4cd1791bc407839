"""DCNAS from the command line to the report: what a run leaves, what decides it, and that kills leave no trace."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from common import cli
from common.arch import load
from common.export import Parity
from common.space import decode
from common.stages.reload import reload, retrained
from common.streams import stream
from segmentation import facts
from segmentation.dcnas.recipes import smoke
from segmentation.dcnas.space import live_cells
from tests.common.run.rows import lines, rows
from tests.segmentation.micro import SETTINGS, call, kill_when, results, words

pytest.importorskip("mmseg")
pytestmark = [pytest.mark.xdist_group("segmentation-micro"), pytest.mark.timeout(300)]

STAGES = ["search", "drawing", "retrain", "export"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A micro run that was never disturbed."""
    path = tmp_path_factory.mktemp("dcnas") / "run"
    call(words(path))
    return path


def same(one: Path, other: Path) -> None:
    """Both runs computed the same, as far as the export."""
    a, b = results(one), results(other)
    a["stages"][-1]["result"] = b["stages"][-1]["result"] = {}
    assert a.keys() == b.keys()
    for name in a:
        assert a[name] == b[name], name


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as picture:
        return picture.size


def no_export(*_: object) -> Parity:
    """Instead of the export, which takes as long as all other stages."""
    return Parity(max_abs_diff=0.0, scale=1.0, dynamic_batch=True)


def test_every_stage_ran_and_left_its_files(finished):
    found = results(finished)
    assert [row["stage"] for row in found["stages"]] == STAGES
    assert [row["name"] for row in found["retrained"]] == ["searched", "random 1", "baseline"]
    searched = found["stages"][0]["result"]
    assert searched["arch"] == found["retrained"][0]["arch"] and searched["snapshots"] == 2
    for row in found["retrained"]:
        assert row["val"].keys() == row["test"].keys() == {"mIoU", "mAcc", "aAcc"}
        assert row["cost"].keys() == {"params", "macs"} and 0 <= row["test"]["mIoU"] <= row["test"]["mAcc"] <= 1
    taken = [[value.count(",") for value in row["arch"].values() if "{" in value] for row in found["retrained"]]
    assert taken[0] == taken[1]  # the random one has as many connections
    steps = [row["values"] for row in found["metrics"] if row["stage"] == "search"]
    assert all("entropy" in values for values in steps[-1:]) and "entropy_penalty" in steps[-1]
    config = json.loads((finished / "config.json").read_text())
    assert config["data"]["images"] == {"train": 12, "val": 6, "test": 6} and len(config["data"]["palette"]) == 4
    best = json.loads((finished / "best" / "metrics.json").read_text())
    assert best["test"] == found["retrained"][0]["test"]
    samples = json.loads((finished / "samples" / "samples.json").read_text())
    assert len(samples) == 2 and all("of the pixels right" in row["caption"] for row in samples)


def test_the_report_shows_the_grid_the_entropy_and_the_predictions(finished):
    report = (finished / "report.html").read_text()
    for shown in ("DCNAS", "arXiv:2003.11883", "search: entropy", "layer 4", "stride 8", "of the pixels right", "are left"):
        assert shown in report, shown
    assert "No trial" not in report and ">trials<" not in report
    assert 'src="http' not in report
    assert report.count("data:image/png;base64") >= 2


def test_the_weights_left_are_those_of_the_network_without_orphans(finished):
    space = reload(finished).space
    net = decode(space, load(finished / "best" / "arch.json", space))
    left = load_file(finished / "best" / "model.safetensors")
    assert {name.split(".")[3] for name in left if ".cells." in name} == set(live_cells(net))
    assert left.keys() == load_file(finished / "retrained" / "searched-0.safetensors").keys()


def test_the_exported_network_segments_an_image_file_like_the_run(finished, tmp_path, capsys):
    picture = tmp_path / "x.png"
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(picture)
    script = [sys.executable, finished / "best" / "use.py", picture]
    done = subprocess.run(script, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    with Image.open(tmp_path / said["picture"]) as found:
        assert found.mode == "P" and found.size == (64, 64)
        values = np.asarray(found)
        assert found.convert("RGB").getpixel((0, 0)) == tuple(found.getpalette()[3 * values[0, 0] : 3 * values[0, 0] + 3])
    capsys.readouterr()
    cli.predict(finished, (picture,), tmp_path / "out")
    row = json.loads(capsys.readouterr().out)
    assert row["shares"] == pytest.approx(said["shares"], abs=2e-3)
    assert size_of(Path(row["picture"]))[0] > 2 * 190  # the picture and what was found, side by side

    wide = tmp_path / "wide.png"
    Image.fromarray(pixels[:20]).save(wide)
    subprocess.run([sys.executable, finished / "best" / "use.py", wide], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    assert size_of(tmp_path / "wide-found.png") == (64, 20)


def test_any_retrained_network_of_a_run_can_be_opened(finished):
    reloaded = reload(finished)
    network, arch, slug = retrained(finished, reloaded, "baseline", 0)
    assert slug == "baseline-0"
    with torch.no_grad():
        assert network(*reloaded.facts.example()).shape == (1, 4, 32, 32)
    assert not network.training and arch.keys() == load(finished / "best" / "arch.json", reloaded.space).keys()


def test_resuming_a_finished_run_changes_nothing(finished, capsys):
    before, report = results(finished), (finished / "report.html").read_bytes()
    call(words(finished, "--resume"))
    assert results(finished) == before and (finished / "report.html").read_bytes() == report
    assert capsys.readouterr().out == f"{finished}/report.html\n"


@pytest.mark.slow
def test_kills_leave_no_trace(finished, tmp_path, monkeypatch):
    """In the search, where weights, logits and multiplier of the entropy go on; and in the retraining."""
    path = tmp_path / "run"
    rng = stream(0, "kills")
    events = [
        lambda: (path / "checkpoints" / "search" / "state.json").exists(),
        lambda: (path / "checkpoints" / "retrain-random-1-0-train" / "state.json").exists(),
    ]
    for event in events:
        pause = rng.uniform(0, 0.1)

        def later(event=event, pause=pause) -> bool:
            return event() and (time.sleep(pause) is None)

        assert kill_when(words(path, *(["--resume"] if path.exists() else [])), later) == -signal.SIGKILL
        assert not (path / "report.html").exists()
    monkeypatch.setattr(facts, "export", no_export)
    call(words(path, "--resume"))
    same(path, finished)


@pytest.mark.slow
def test_the_seed_decides_and_nothing_else(finished, tmp_path):
    """Checkpoints at other steps: the same. Another seed: another run."""
    again, other = tmp_path / "again", tmp_path / "other"
    assert kill_when(words(again, settings=[*SETTINGS, "save_every=3"]), lines(again, "retrained", 2)) == -signal.SIGKILL
    assert (again / "strengths.json").read_bytes() == (finished / "strengths.json").read_bytes()
    assert rows(again, "retrained")[:2] == rows(finished, "retrained")[:2]
    assert kill_when(words(other, "--seed", "1"), lines(other, "stages", 1)) == -signal.SIGKILL
    assert (other / "strengths.json").read_bytes() != (finished / "strengths.json").read_bytes()


def test_a_budget_is_kept_by_all_that_is_searched_for(tmp_path, monkeypatch):
    monkeypatch.setattr(facts, "export", no_export)
    path = tmp_path / "run"
    equal = ("search.random_baseline=true", "search.engine.rivals=2")
    call(words(path, "--budget", "macs=3.5e6", settings=[*SETTINGS, *equal]))
    assert [row["kind"] for row in rows(path, "retrained")] == ["searched", "random", "baseline", "baseline"]
    assert all(row["cost"]["macs"] <= 3.5e6 for row in rows(path, "retrained")[:3])
    assert "random architectures, each for" in (path / "report.html").read_text()
    assert smoke().budget == {}

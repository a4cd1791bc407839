"""HNAS from the command line to the report: what a run leaves, what can be done with it, and kills that leave no trace."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.nn import functional

from common.run.folder import RunFolder
from common.train.step import Step
from superres.hnas.recipes import RECIPES
from superres.hnas.space import PUBLISHED
from superres.hnas.system import SYSTEM
from superres.metrics import psnr_rgb
from superres.phases import Upscale
from superres.settings import DataSettings, SuperResOptions
from superres.task import SuperResTask
from tests.common.refusing import refused
from tests.common.run.killing import dies, forked, status
from tests.common.run.rows import rows
from tests.superres.micro import STAGES, call, results, words

pytestmark = [pytest.mark.xdist_group("superres-micro"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def no_export():
    """The exporter to ONNX takes most of so short a run; `test_export.py` has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SuperResTask, "export", lambda task, network, folder: 0.0)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory, no_export) -> Path:
    path = tmp_path_factory.mktemp("superres") / "run"
    call(words(path))
    return path


@pytest.fixture
def refuse(capsys):
    """Runs a command line that must be refused; gives the message, after looking for `parts` in it."""
    return lambda *argv, parts: refused(call, argv, parts, capsys)


def test_every_stage_ran_and_left_its_files(finished):
    assert [row["stage"] for row in rows(finished, "stages")] == STAGES
    trials = rows(finished, "trials")
    assert {row["origin"] for row in trials} == {"policy"} and len(trials) == len(rows(finished, "random")) == 2
    retrained = rows(finished, "retrained")
    assert [row["name"] for row in retrained[:3]] == ["searched", "random 1", "baseline"]
    searched, _, _, outside = retrained
    assert outside["name"].startswith("EDSR ") and (outside["kind"], outside["arch"]) == ("baseline", {})
    assert abs(outside["cost"]["macs_deconv"] / searched["cost"]["macs_deconv"] - 1) < 0.2, "as dear, as far as widths allow"
    for row in retrained:
        assert row["val"].keys() == row["test"].keys() == {"PSNR", "SSIM"}
        assert row["cost"].keys() == {"params", "macs", "macs_deconv"}
    assert {file.name for file in (finished / "weights").glob("*.safetensors")} == {"weights.safetensors", "policy.safetensors"}
    turns = [row["values"] for row in rows(finished, "metrics") if "reward" in row["values"]]
    assert len(turns) == 2 and {"reward_average", "policy_entropy"} <= turns[0].keys()
    report = (finished / "report.html").read_text()
    for told in ("upsampling cell, number", "PSNR of bicubic", "EDSR NxC", "errors of bicubic and of the network"):
        assert told in report


KILLS = [
    (Upscale, "batch_at", 4, 0),  # in the training of the supernet and the controllers, after a checkpoint
    (RunFolder, "append_trial", 1, 1),
    (RunFolder, "append_retrained", 1, 4),
]
"""Where a process dies: at the call of that number, from 0, of a function; and how many stages are done by then."""


def test_kills_leave_no_trace(finished, tmp_path):
    path = tmp_path / "run"
    for owner, name, at, done in KILLS:
        argv = words(path, *(["--resume"] if path.exists() else []))

        def work(owner=owner, name=name, at=at, argv=argv) -> None:
            dies(owner, name, at)
            call(argv)

        assert status(forked(work)) == -signal.SIGKILL
        found = [row["stage"] for row in rows(path, "stages")] if (path / "stages.jsonl").exists() else []
        assert len(found) == done, (name, at, found)
    call(words(path, "--resume"))
    assert results(path) == results(finished)


def test_a_found_network_makes_pictures_larger(finished, tmp_path, capsys):
    for name, size, mode in (("one.png", (37, 50), "RGBA"), ("two.jpg", (1, 9), "L")):
        Image.new(mode, size, 90).save(tmp_path / name)
    call(["upscale", str(finished), str(tmp_path / "one.png"), str(tmp_path / "large.png")])
    with Image.open(tmp_path / "large.png") as made:
        assert (made.size, made.mode) == ((74, 100), "RGBA")
    call(["upscale", str(finished), str(tmp_path), str(tmp_path / "out"), "--tile", "32"])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()][1:]
    assert {Path(row["picture"]).name for row in told} == {"one-x2.png", "two-x2.png", "large-x2.png"}
    with Image.open(tmp_path / "out" / "two-x2.png") as made:
        assert (made.size, made.mode) == ((2, 18), "L")


def test_a_scale_the_run_was_not_trained_for(finished, tmp_path, refuse):
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    argv = ["upscale", str(finished), str(tmp_path / "x.png"), str(tmp_path / "y.png"), "--scale", "3"]
    refuse(*argv, parts=("--scale 3", "was trained for scale 2", "give --scale 2, or a run of scale 3"))


@pytest.mark.parametrize("name", ["HNAS-A", "HNAS-C"])
def test_describe_reads_names_words_and_files(name, finished, capsys):
    call(["describe", "hnas", "--arch", name])
    told = json.loads(capsys.readouterr().out)
    net = PUBLISHED[name]
    assert told["position"] == f"{net.position} of 12" and told["macs_480x480"] == pytest.approx(100 * told["macs"], rel=0.01)
    call(["describe", "hnas", "--arch", f"{told['normal']} / {told['upsampling']} / {told['position']}"])
    again = json.loads(capsys.readouterr().out)
    assert {**again, "arch": name} == told
    call(["describe", "hnas", "--arch", str(finished / "best" / "arch.json"), "--width", "3", "--scale", "2"])
    found = json.loads(capsys.readouterr().out)
    assert found["params"] == rows(finished, "retrained")[0]["cost"]["params"]


def test_describe_prints_the_figures_of_the_paper(capsys):
    call(["describe", "hnas", "--arch", "HNAS-A"])
    told = json.loads(capsys.readouterr().out)
    assert (told["params"], told["macs"], told["macs_deconv"]) == (974_019, 3_062_956_032, 4_082_171_904)
    assert "scale 2" in told["convention"] and "48x48" in told["convention"] and "width 64" in told["convention"]


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (["describe", "hnas", "--arch", "hnas-a"], ("hnas-a: no released network and no file; did you mean HNAS-A?",)),
        (["describe", "hnas", "--arch", "other"], ("give HNAS-A, HNAS-B, HNAS-C, a file, or NORMAL / UPSAMPLING",)),
        (["describe", "hnas", "--arch", "x / y / -1"], ("'-1' is no position", "3 of 12")),
        (["describe", "hnas", "--arch", "x / y / 4 of 4"], ("position 4 of 4 cells", "from 0 to below the cells")),
        (["describe", "hnas", "--arch", "HNAS-A", "--width", "0"], ("--width 0: give 1 channel or more",)),
        (["hnas", "--set", "search.engine.burst=1"], ("search.engine.burst=1 with restart=true",)),
        (["hnas", "--set", "search.engine.decay=0"], ("search.engine.decay=0",)),
        (["describe", "hnas", "--arch", "rcab 1 / area 0 / 3"], ("not of the form NORMAL / UPSAMPLING / POSITION of CELLS",)),
        (["hnas", "--set", "space.cells=1"], ("space.cells=1", "give 2 or more")),
        (["hnas", "--set", "share=1"], ("share=1", "between 0 and 1")),
        (["hnas", "--set", "search.engine=topk", "share=0.5"], ("share=0.5 with search.engine=topk", "leave it 0.4")),
        (["hnas", "--set", "weights.paths=fair"], ("weights.paths=fair with search.engine=controller", "leave it uniform")),
        (["hnas", "--budget", "energy=3"], ("budget 'energy' is no cost of a super-resolution network", "macs_deconv")),
        (["hnas", "--budget", "macs_deconv=3"], ("macs_deconv",)),
        (["hnas", "--set", "data.patch=50", "data.scale=3"], ("data.patch=50: give a multiple of 3",)),
        (["hnas", "--set", "search.engine.reward=PNSR"], ("search.engine.reward='PNSR'", "write PSNR")),
        (
            ["hnas", "--set", "search.engine=gradient", "search.random_baseline=false"],
            ("search.engine.options.kind=softmax", "cannot be mixed"),
        ),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_what_cannot_be_is_refused_before_any_work(argv, parts, refuse, tmp_path):
    run = ["--out", str(tmp_path / "run"), "--workers", "0", "--quiet"] if argv[0] == "hnas" else []
    refuse(argv[0], *run, *argv[1:], parts=parts)
    assert not (tmp_path / "run").exists()


def test_the_scale_and_what_follows_from_it():
    settings = SuperResOptions(scale=3).change(RECIPES["smoke"]())
    assert (settings.data.scale, settings.data.patch) == (3, 48)
    task = SYSTEM.make(settings, Path("none"))
    assert task.space.scale == 3 and task.facts.example()[0].shape == (1, 3, 16, 16)


@pytest.mark.parametrize("engine", ["topk", "nsga2", "random"])
def test_other_engines_search_the_same_space(engine, tmp_path, no_export):
    settings = [word for word in words(tmp_path)[words(tmp_path).index("--set") + 1 :] if "search.engine" not in word]
    small = {"topk": ["population=2", "mutants=1", "crossovers=0", "parents=1"], "nsga2": ["population=2"], "random": []}[engine]
    path = tmp_path / "run"
    options = ["--workers", "0", "--device", "cpu", "--quiet", "--out", str(path), "--set", *settings, f"search.engine={engine}"]
    call(["hnas", *options, *(f"search.engine.{word}" for word in small), "retrain.random_archs=0", "retrain.hand_made=false"])
    stages = {row["stage"]: row["result"] for row in rows(path, "stages")}
    assert list(stages) == ["supernet weights", *STAGES[1:]]
    assert stages["search"]["follows"] == (["PSNR", "macs_deconv"] if engine == "nsga2" else ["PSNR"])
    assert [row["name"] for row in rows(path, "retrained")] == ["searched", "baseline"]


def test_scores_are_those_of_each_benchmark_and_of_the_ensemble(tmp_path):
    rng = np.random.default_rng(0)
    for name, count in (("T91", 3), ("Set5", 2), ("Set14", 1)):
        (tmp_path / name).mkdir()
        for i in range(count):
            pixels = rng.integers(0, 256, (40, 44, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    settings = replace(RECIPES["smoke"](), data=DataSettings(folder=str(tmp_path), patch=24, val=1))
    task = SYSTEM.make(settings, Path("none"))
    network = task.network(task.baseline, 0).eval()
    found = task.metrics(network, "test")
    assert found["PSNR"] == pytest.approx((2 * found["PSNR Set5"] + found["PSNR Set14"]) / 3)
    assert set(found) == {f"{score}{group}" for score in ("PSNR", "SSIM") for group in ("", " Set5", " Set14")}
    assert set(task.metrics(network, "val")) == {"PSNR", "SSIM"}
    ensemble = task.variant(["ensemble=true"])
    assert ensemble.metrics(network, "test")["PSNR"] != found["PSNR"]
    assert ensemble.metrics(network, "val") == task.metrics(network, "val")


def test_what_controllers_learn_from():
    """Other pictures than the weights do, and the PSNR of RGB pixels without a border of scale + 6 pixels, or its gain."""
    task = SYSTEM.make(replace(RECIPES["smoke"](), data=DataSettings(patch=48, val=1, test=1)), Path("none"))
    weights, controllers = task.phases("relaxed")
    assert not {*weights.split.files} & {*controllers.split.files}
    assert len(weights.split) / len(task.data.train) == pytest.approx(0.4, abs=0.05)
    network = task.network(task.baseline, 0)
    low, high = batch = controllers.batch_at(0, 0)
    made = network(low).detach()
    terms = controllers.loss(network, batch, Step())
    expected = psnr_rgb(made, high, 2 + 6)
    assert float(terms["PSNR"]) == float(expected) != float(psnr_rgb(made, high, 2))
    enlarged = functional.interpolate(low, scale_factor=2, mode="bicubic")
    assert float(terms["gain"]) == pytest.approx(float(expected - psnr_rgb(enlarged, high, 2 + 6)), abs=1e-6)
    assert float(terms["loss"].detach()) == pytest.approx(float((made - high).abs().mean()))
    assert set(weights.loss(network, batch, Step())) == {"loss"}


def test_validation_scores_are_of_all_pictures_alone(tmp_path):
    rng = np.random.default_rng(0)
    for name, count in (("T91", 2), ("DIV2K_valid_HR", 2), ("Set5", 1)):
        (tmp_path / name).mkdir()
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, (40, 44, 3), dtype=np.uint8)).save(tmp_path / name / f"{i}.png")
    settings = replace(RECIPES["smoke"](), data=DataSettings(folder=str(tmp_path), patch=24))
    task = SYSTEM.make(settings, Path("none"))
    assert set(task.data.val.groups) == {"DIV2K"}
    assert set(task.metrics(task.network(task.baseline, 0).eval(), "val")) == {"PSNR", "SSIM"}

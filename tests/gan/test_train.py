"""GAN Compression from the command line to the report: what a run leaves, and what can be done with it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from common.arch import from_labels
from common.engines import Exhaustive, TopK
from common.evaluate.settings import InheritedSettings
from common.options import settings_of
from common.space import decode
from gan.compression.recipes import RECIPES
from gan.compression.settings import Settings
from gan.compression.space import open_space, uniform
from gan.compression.system import Options
from tests.common.refusing import refused
from tests.common.run.killing import flip
from tests.common.run.rows import rows
from tests.gan.micro import NAMES, STAGES, call, results, words

pytestmark = [pytest.mark.xdist_group("gan-micro"), pytest.mark.timeout(300)]


def test_every_stage_ran_and_left_its_files(finished):
    assert [row["stage"] for row in rows(finished, "stages")] == STAGES
    assert len(rows(finished, "trials")) == len(rows(finished, "random")) == 6
    assert all(row["cost"]["macs"] <= 3.4e6 for row in rows(finished, "trials"))
    assert [row["name"] for row in rows(finished, "retrained")] == NAMES
    for row in rows(finished, "retrained"):
        assert row["val"].keys() == row["test"].keys() == {"Frechet", "L1", "PSNR", "SSIM"}
        assert row.get("start") == (None if row["kind"] == "reference" else "supernet")
    weights = {file.name for file in (finished / "weights").glob("*.safetensors")}
    phases = {"teacher", "distil", "supernet"}
    assert weights == {f"{name}.safetensors" for name in phases} | {f"{name}-discriminator.safetensors" for name in phases}
    report = (finished / "report.html").read_text()
    for told in ("fewer MACs", "quicker on a CPU", "Trained alone", "It is no FID", "The searched network is"):
        assert told in report
    assert 'class="wide"' in report


def test_without_pairs_the_fast_pipeline_leaves_the_same(unpaired):
    assert [row["stage"] for row in rows(unpaired, "stages")] == [stage for stage in STAGES if stage != "distil"]
    teacher, *others = rows(unpaired, "retrained")
    assert teacher["test"]["L1_teacher"] == 0 and all(row["test"]["L1_teacher"] > 0 for row in others)
    told = {name for row in rows(unpaired, "metrics") if row["stage"] == "teacher" for name in row["values"]}
    assert {"loss_gan", "loss_discriminator", "loss_cycle", "loss_identity"} <= told and "loss_recon" not in told


def test_a_search_from_scratch_trains_no_supernet_and_every_network_begins_anew(tmp_path, no_export):
    path = tmp_path / "scratch"
    settings = ["search.evaluation=scratch", "search.engine.parents=3", "search.trials=3"]
    call(words(path, settings=settings))
    assert [row["stage"] for row in rows(path, "stages")] == [stage for stage in STAGES if stage not in ("distil", "supernet")]
    assert [row["name"] for row in rows(path, "retrained")] == NAMES
    assert all("start" not in row and not row["inherited"] for row in rows(path, "retrained"))
    assert {file.stem for file in (path / "weights").glob("*.safetensors")} == {"teacher", "teacher-discriminator"}
    searched, without = (next(row for row in rows(path, "retrained") if row["name"] == name) for name in (NAMES[1], NAMES[-1]))
    assert without["tuned"] == ["paired.distil=0", "finetune.steps=2"] and searched["arch"] == without["arch"]
    assert searched["val"]["Frechet"] != without["val"]["Frechet"]
    report = (path / "report.html").read_text()
    assert "No supernet is trained" in report and "fine-tuned" not in report


def test_the_saving_is_counted_and_measured(finished):
    found = next(row["result"] for row in rows(finished, "stages") if row["stage"] == "savings")
    teacher, searched, *_ = rows(finished, "retrained")
    assert found["macs_ratio"] == pytest.approx(teacher["cost"]["macs"] / searched["cost"]["macs"], abs=1e-3)
    assert found["params_ratio"] == pytest.approx(teacher["cost"]["params"] / searched["cost"]["params"], abs=1e-3)
    for name in ("torch", "exported"):
        teacher_ms, own_ms = found[f"{name}_ms"]
        assert found[f"latency_ratio_{name}"] == pytest.approx(teacher_ms / own_ms, rel=1e-2) and own_ms > 0
    assert found["conditions"]["torch"]["threads"] == found["conditions"]["exported"]["threads"] == 1
    assert "onnxruntime" in found["conditions"]["exported"]


def test_every_network_of_the_space_begins_with_its_part_of_the_supernet(finished, tmp_path, no_export):
    out = tmp_path / "still"
    call(words(out, settings=["finetune.steps=0", "supernet.optim.lr=1e-3", "without_distillation=false"]))
    shared, row = load_file(out / "weights" / "supernet.safetensors"), rows(out, "retrained")[1]
    own = load_file(out / "retrained" / "searched-0.safetensors")
    for name, value in own.items():
        assert torch.equal(value, shared[name][tuple(slice(n) for n in value.shape)]), name
    assert row["val"]["Frechet"] == pytest.approx(row["inherited"]["Frechet"], abs=1e-9)


def test_a_found_generator_translates_a_folder(finished, tmp_path, capsys):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    Image.new("RGB", (37, 50), "teal").save(source / "one.png")
    Image.new("L", (24, 24), 90).save(source / "two.jpg")
    (source / "notes.txt").write_text("no picture")
    call(["translate", str(finished), str(source), str(out)])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(row["picture"]).name for row in told] == ["one-translated.png", "two-translated.png"]
    with Image.open(told[0]["picture"]) as made:
        assert made.size == (37, 50) and np.asarray(made).std() > 0


def test_the_exported_files_translate_alike(finished, tmp_path, capsys):
    picture = tmp_path / "x.png"
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(noise).save(picture)
    script = [sys.executable, finished / "best" / "use.py", picture]
    done = subprocess.run(script, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    call(["translate", str(finished), str(picture), str(tmp_path / "ours")])
    with Image.open(tmp_path / "x-translated.png") as theirs, Image.open(tmp_path / "ours" / "x-translated.png") as ours:
        apart = np.abs(np.asarray(theirs).astype(int) - np.asarray(ours).astype(int))
    assert apart.max() <= 1


def test_translate_says_what_it_cannot_use(finished, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    Image.new("F", (24, 24)).save(tmp_path / "fractions.tif")
    out = str(tmp_path / "out")
    for source, part in (
        ("nowhere", "no such file or folder"),
        ("empty", "no picture in it"),
        ("broken.png", ": not an image"),
        ("fractions.tif", "has fractions as pixels"),
    ):
        refused(call, ["translate", str(finished), str(tmp_path / source), out], (source, part), capsys)
    refused(call, ["translate", str(tmp_path / "empty"), str(tmp_path / "fractions.tif"), out], ("config.json",), capsys)


def test_another_runs_teacher_can_be_taken(finished, tmp_path, capsys, no_export):
    out = tmp_path / "taken"
    call(words(out, settings=[f"teacher.run={finished}", "train_teacher.steps=0"]))
    for name in ("teacher.safetensors", "teacher-discriminator.safetensors"):
        assert (out / "weights" / name).read_bytes() == (finished / "weights" / name).read_bytes()
    assert rows(out, "retrained")[0]["test"] == rows(finished, "retrained")[0]["test"]
    argv = words(tmp_path / "other", settings=[f"teacher.run={finished}", "teacher.width=16"])
    refused(call, argv, ("teacher.safetensors does not fit",), capsys)
    argv = words(tmp_path / "none", settings=[f"teacher.run={tmp_path}"])
    refused(call, argv, ("teacher.run=", "give the folder of a run that trained its teacher"), capsys)
    assert not (tmp_path / "none").exists()
    shutil.copytree(finished / "weights", tmp_path / "copy" / "weights")
    flip(tmp_path / "copy" / "weights" / "teacher.safetensors", -1)
    argv = words(tmp_path / "none", settings=[f"teacher.run={tmp_path / 'copy'}"])
    refused(call, argv, ("copy/weights/teacher.safetensors is damaged",), capsys)
    assert not (tmp_path / "none").exists()


def test_a_finished_run_is_resumed_without_a_change(finished):
    before = results(finished)
    call(words(finished, "--resume"))
    assert results(finished) == before


def test_the_same_seed_gives_the_same_with_workers_and_another_seed_does_not(finished, tmp_path, no_export):
    call(words(tmp_path / "workers", workers=2))
    assert results(tmp_path / "workers") == results(finished)
    call(words(tmp_path / "other", "--seed", "1"))
    assert results(tmp_path / "other")["weights/teacher.safetensors"] != results(finished)["weights/teacher.safetensors"]


def test_the_pipelines_differ_as_published():
    full = settings_of(RECIPES, Options(recipe="paper"))
    fast = settings_of(RECIPES, Options(recipe="paper", pipeline="fast"))
    assert (full.teacher.mobile, full.space, full.search.engine) == (True, "channels-48", Exhaustive())
    evolution = TopK(population=100, mutants=50, crossovers=50, parents=25, rate=0.3)
    assert (fast.teacher.mobile, fast.space, fast.search.engine) == (False, "channels-64-pix2pix", evolution)
    assert fast.search.trials == 50_000 and full.search.evaluation == fast.search.evaluation == InheritedSettings()
    assert full.distil.steps == 229_640 and fast.distil.steps == 0
    assert full.supernet.steps == 459_280 and full.supernet.optim.hold == 0.25 and full.supernet.optim.momentum == 0.5


def test_the_winner_on_disk_is_the_architecture_of_the_report(finished):
    best = json.loads((finished / "best" / "arch.json").read_text())
    row = rows(finished, "retrained")[1]
    assert best["choices"] == row["arch"]
    space = open_space("tiny", 3)
    net = decode(space, from_labels(space, row["arch"], "test"))
    assert net != uniform(12, blocks=3) and isinstance(settings_of(RECIPES, Options()), Settings)

"""The commands for run folders, on made-up folders of a real task and on bad ones."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from common import cli
from common.arch import labels, save
from common.cost.table import Errors, LatencyTable
from common.errors import UserError
from common.overrides import plain
from common.reading import Run
from common.run.checkpoint import save_weights
from common.script import main
from common.stages.reload import reload
from common.system import task_packages
from detection.detnas.recipes import smoke
from tests.common.run.killing import flip
from tests.common.run.report.make_run import make_run, write_rows

CLASSES = ["0", "1", "2", "3", "4"]


def call(*words):
    main("python -m common.cli", cli.COMMANDS, [str(word) for word in words])


def refused(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        call(*words)
    assert stop.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.fixture(scope="module")
def detector_run(tmp_path_factory):
    """A DetNAS run folder of an untrained detector: what export, predict and the latency table read, and nothing else."""
    run = tmp_path_factory.mktemp("run")
    config = {
        "task": "detection",
        "system": "detnas",
        "settings": plain(smoke()),
        "data": {"classes": CLASSES, "canvas": [64, 64]},
    }
    (run / "config.json").write_text(json.dumps(config))
    opened = reload(run)
    from detection.detnas.space import uniform_arch

    arch = uniform_arch(opened.space, 2)
    network = opened.network(arch)
    with torch.no_grad():  # an untrained head says 0.01 to everything: let it see something, without near ties
        last = network.get_submodule("net.bbox_head").retina_cls
        last.weight.copy_(30 * torch.randn(last.weight.shape, generator=torch.Generator().manual_seed(0)))
        last.bias.zero_()
    for folder in ("best", "retrained"):
        (run / folder).mkdir()
    save(run / "best" / "arch.json", opened.space, arch)
    save_weights(run / "best" / "model.safetensors", network)
    save_weights(run / "retrained" / "random-1-0.safetensors", network)
    row = {"name": "random 1", "kind": "random", "seed": 0, "arch": labels(opened.space, arch), "val": {}, "test": {}}
    write_rows(run / "retrained.jsonl", [row])
    return run


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    pixels = np.random.default_rng(0).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((120, 80), Image.Resampling.BICUBIC).save(path)
    return path


def test_report_is_written_again_and_its_path_printed(tmp_path, capsys):
    run = make_run(tmp_path / "run")
    call("report", run)
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    assert "DetNAS" in (run / "report.html").read_text()


def test_compare_prints_one_line_a_run(tmp_path, capsys):
    call("compare", make_run(tmp_path / "first"), make_run(tmp_path / "second"))
    out = capsys.readouterr().out
    assert [name for name in ("first", "second") if name in out] == ["first", "second"]


def test_predict_prints_detections_and_draws_them(detector_run, photo, tmp_path, capsys):
    twin = tmp_path / "other" / "photo.png"
    twin.parent.mkdir()
    with Image.open(photo) as picture:
        picture.save(twin)
    call("predict", detector_run, photo, twin, "--out", tmp_path / "out")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["image"] for row in rows] == [str(photo), str(twin)]
    assert [Path(row["picture"]).name for row in rows] == ["photo-found.png", "photo-found-2.png"]
    for row in rows:
        with Image.open(row["picture"]) as picture:
            assert (picture.width > 1.4 * picture.height) and picture.format == "PNG"
        found = row["detections"]
        assert found and [d["score"] for d in found] == sorted((d["score"] for d in found), reverse=True)
        for one in found:
            x1, y1, x2, y2 = one["box"]
            assert one["class"] in CLASSES
            assert 0 <= x1 < x2 <= 120 and 0 <= y1 < y2 <= 80


def test_predict_refuses_what_is_no_image_before_it_draws(detector_run, photo, tmp_path, capsys):
    bad = tmp_path / "notes.jpg"
    bad.write_text("not an image")
    assert "notes.jpg: not an image" in refused(capsys, "predict", detector_run, photo, bad, "--out", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert "no file given; name at least one" in refused(capsys, "predict", detector_run)


def test_predict_never_overwrites_an_image_it_reads(detector_run, photo, tmp_path, capsys):
    twin = tmp_path / "photo-found.png"
    with Image.open(photo) as picture:
        picture.save(twin)
    before = twin.read_bytes()
    call("predict", detector_run, photo, twin, "--out", tmp_path)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(row["picture"]).name for row in rows] == ["photo-found-2.png", "photo-found-found.png"]
    assert twin.read_bytes() == before


def test_export_gives_a_script_that_finds_what_predict_finds(detector_run, photo, tmp_path, capsys):
    call("export", detector_run, "--name", "random 1", "--out", tmp_path / "out")
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == str(tmp_path / "out")
    assert told["onnx_max_abs_diff"] <= 1e-4 * told["largest_output"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["arch.json", "model.onnx", "model.onnx.json", "use.py"]
    square = tmp_path / "square.png"  # 64 x 64: nothing is resized, so that the two must agree
    with Image.open(photo) as picture:
        picture.resize((64, 64)).save(square)
    call("predict", detector_run, square, "--out", tmp_path)
    expected = json.loads(capsys.readouterr().out)["detections"]
    done = subprocess.run([sys.executable, tmp_path / "out" / "use.py", square], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)["detections"]
    assert len(found) > 3
    assert [d["class"] for d in found] == [d["class"] for d in expected]
    assert np.allclose([d["score"] for d in found], [d["score"] for d in expected], atol=2e-3)
    assert np.allclose([d["box"] for d in found], [d["box"] for d in expected], atol=0.1)


def test_export_names_what_there_is(detector_run, capsys):
    assert "no network 'searched' of seed 0; there is 'random 1' 0" in refused(capsys, "export", detector_run)


def test_a_network_whose_training_failed_has_no_weights_to_export(detector_run, tmp_path, capsys):
    shutil.copytree(detector_run, tmp_path / "run")
    log = tmp_path / "run" / "retrained.jsonl"
    row = json.loads(log.read_text().splitlines()[0])
    log.write_text(json.dumps({**row, "val": {}, "test": {}, "error": "the loss is nan"}) + "\n")
    line = refused(capsys, "export", tmp_path / "run", "--name", "random 1")
    assert "network 'random 1' of seed 0 has no weights, its training failed (the loss is nan)" in line


@pytest.mark.parametrize("file", ["best/model.safetensors", "retrained/random-1-0.safetensors"])
def test_a_flipped_bit_in_the_weights_goes_into_no_result(detector_run, photo, tmp_path, capsys, file):
    run = tmp_path / "run"
    shutil.copytree(detector_run, run)
    flip(run / file, -1)
    told = f"{run / file} is damaged"
    if file.startswith("best"):
        assert told in refused(capsys, "predict", run, photo)
    else:
        assert told in refused(capsys, "export", run, "--name", "random 1")
        with pytest.raises(UserError, match=re.escape(told)):
            Run(run).network("random 1", 0)
    call("compare", run)
    assert f"note: {told}" in capsys.readouterr().out


def test_latency_table_of_a_space(tmp_path, capsys):
    target = tmp_path / "table.json"
    words = ("--task", "detection", "--system", "detnas", "--space", "tiny", "--out", target, "--repeats", 2, "--archs", 2)
    call("latency-table", *words)
    table = json.loads(target.read_text())
    assert len(table["rows"]) == 8
    assert table["conditions"]["threads"] == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"{target}: predictions of 2 random architectures are off by ")


TINY = ("latency-table", "--task", "detection", "--system", "detnas", "--space", "tiny")


@pytest.mark.parametrize(("percent", "rank", "warned"), [(905.0, -0.5, True), (10.0, 0.9, False)])
def test_a_table_that_fails_its_own_check_is_a_warning(tmp_path, capsys, monkeypatch, percent, rank, warned):
    """905 % and -0.5 were printed without a comment."""
    blank = LatencyTable(space="x", base_ms=1.0, rows={}, labels={}, conditions={})
    monkeypatch.setattr("common.stages.latency.build_table", lambda *_, **__: blank)
    found = Errors(n=10, median_percent=percent, spearman=rank)
    monkeypatch.setattr("common.stages.latency.errors", lambda *_, **__: found)
    call(*TINY, "--out", tmp_path / "t.json")
    lines = capsys.readouterr().err.splitlines()
    assert json.loads((tmp_path / "t.json").read_text())["check"] == {"n": 10, "median_percent": percent, "spearman": rank}
    assert len(lines) == warned and all(line.startswith(f"warning: {tmp_path / 't.json'} has failed") for line in lines)
    assert not warned or ("905.0 %" in lines[0] and "-0.50" in lines[0])


def test_a_latency_table_is_whole_or_not_there(tmp_path, monkeypatch):
    """Stopped in its check, it leaves the file of before."""
    (tmp_path / "t.json").write_text("before")
    monkeypatch.setattr("common.stages.latency.build_table", lambda *_, **__: None)

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("common.stages.latency.errors", stopped)
    with pytest.raises(SystemExit):
        call(*TINY, "--out", tmp_path / "t.json")
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"] and (tmp_path / "t.json").read_text() == "before"


TASKS = ", ".join(task_packages())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "give a run folder, or --task, --system and --space"),
        (("--task", "detection", "--system", "detnas", "--space", "huge"), "detnas has no space 'huge'; choose one of tiny"),
        (("--task", "detection", "--system", "yolo", "--space", "tiny"), "task detection has no system 'yolo'; it has detnas"),
        (("--task", "os", "--system", "detnas", "--space", "tiny"), f"task 'os' is not installed here; there is {TASKS}"),
        (("--archs", "1"), "give at least 2 architectures"),
        ((*TINY[1:], "--pairs"), "--pairs and --deployed need a run folder"),
        ((*TINY[1:], "--deployed"), "--pairs and --deployed need a run folder"),
        (("--device", "abacus"), "device 'abacus' cannot be used"),
        (("--device", "meta"), "device 'meta' cannot be used (it holds no numbers); give cpu, cuda, or auto"),
    ],
)
def test_latency_table_of_nothing_known_is_refused(capsys, words, reason):
    assert reason in refused(capsys, "latency-table", *words)


@pytest.mark.parametrize("command", ["report", "compare", "export", "predict", "latency-table"])
def test_a_folder_without_a_run_is_refused(tmp_path, capsys, command):
    extra = ("some.png",) if command == "predict" else ()
    assert str(tmp_path) in refused(capsys, command, tmp_path, *extra)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{", "config.json is damaged"),
        ("[]", "config.json is damaged: [] is not a JSON object"),
        ('{"task": "detection"}', "names no task and system"),
        ('{"task": "../evil", "system": "x"}', "task '../evil' is not installed here"),
        ('{"task": "detection", "system": "detnas"}', "settings is null, not Settings"),
        ('{"task": "detection", "system": "detnas", "settings": {"x": 1}}', "settings.x is no field of Settings"),
    ],
)
def test_a_config_that_is_not_a_runs_is_refused(tmp_path, capsys, config, reason):
    (tmp_path / "config.json").write_text(config)
    line = refused(capsys, "export", tmp_path)
    assert "config.json" in line
    assert reason in line


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config: config["data"].update(canvas=[0, 64]), "config.json"),
        (lambda config: config["data"].update(canvas=[-64, 64]), "config.json"),
        (lambda config: config["settings"]["head"].update(neck_channels=10**6), "GiB"),
        (lambda config: config["settings"]["head"].update(neck_channels=-3), "config.json"),
    ],
)
def test_settings_out_of_range_are_named_before_memory_is_taken(detector_run, photo, tmp_path, capsys, change, said):
    run = tmp_path / "run"
    shutil.copytree(detector_run, run)
    config = json.loads((run / "config.json").read_text())
    change(config)
    (run / "config.json").write_text(json.dumps(config))
    assert said in refused(capsys, "predict", run, photo)


def test_the_command_line_imports_nothing_heavy():
    code = "import sys, common.cli; print(*{'torch', 'detection', 'matplotlib', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


def test_bad_input_is_one_line_and_status_two(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "common.cli", "export", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith("error: ")


def test_an_installed_project_has_no_files_to_bring_up_to_date(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("common.listing.ROOT", tmp_path)
    assert f"{tmp_path} is no source tree (it has no README.md)" in refused(capsys, "list", "--write")
    assert list(tmp_path.iterdir()) == []
    call("list")
    assert "| `tasknas darts` |" in capsys.readouterr().out


def test_a_latency_table_is_not_measured_where_it_cannot_be_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("common.stages.latency.build_table", lambda *_, **__: pytest.fail("work was spent"))
    words = ["latency-table", "--task", "detection", "--system", "detnas", "--space", "tiny", "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as stopped:
        main("python -m common.cli", cli.COMMANDS, words)
    assert stopped.value.code == 2 and f"{tmp_path} is a folder; give a file as --out" in capsys.readouterr().err

"""The command `deploy`, and the file that it writes: it runs without the project, and gives the bits of the network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from binary.command import deploy
from binary.deploy import bundle as bundling
from binary.deploy.bundle import IMAGES, NAME, bundle
from binary.groups.system import SYSTEM as GROUPS
from binary.packed.processor import instructions
from binary.width.system import SYSTEM as WIDTH
from classification.darts.system import SYSTEM as DARTS
from common.errors import NotExported, UserError
from common.script import main
from common.stages.reload import best, reload
from tests.bench import binary_evolution
from tests.common.refusing import refused
from tests.common.run.rows import rows
from tests.contracts.runs import finished, item


def call(argv: list[str]) -> None:
    main("python -m binary.train", {"deploy": deploy, "other": lambda: None}, argv)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return finished(GROUPS, tmp_path_factory.mktemp("runs") / "groups")


def test_the_file_gives_what_predict_gives_without_the_project(run, tmp_path, capsys):
    call(["deploy", str(run)])
    said = json.loads(capsys.readouterr().out)
    file = run / "packed" / NAME
    assert said["file"] == str(file) and said["compared_on_images"] == IMAGES
    assert said["counts_bits_with"] == instructions()
    assert said["megabytes"]["file"] == round(file.stat().st_size / 1e6, 3) and said["megabytes"]["real_network"] > 0
    elsewhere = shutil.copy(file, tmp_path / "other.zip")
    picture = item(run, tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", START, *sys.path, "--", str(elsewhere), str(picture)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    reloaded = reload(run)
    (wanted,) = reloaded.predict(best(run, reloaded), [picture], tmp_path)
    assert found["classes"] == wanted["classes"] and found["image"] == str(picture)


START = """
import runpy, sys
at = sys.argv.index("--")
sys.path[:] = [path for path in sys.argv[1:at] if "packages" in path or "lib" in path]  # not the project
sys.argv[:] = sys.argv[at + 1 :]
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("classification", "tasknas"):
            raise AssertionError(name)
sys.meta_path.insert(0, Refuse())
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_the_bench_of_runs_reads_every_network_and_compares_the_deployed_one(run):
    names = [row["name"] for row in rows(run, "retrained") if row["seed"] == 0]
    lines = list(binary_evolution.timed_lines(run, 2))
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == names
    for line in lines:
        packed_times = line.split(" | ")[-2]
        assert packed_times == "-" if line.startswith("| real weights") else float(packed_times.split()[0]) > 0
    trained, small = binary_evolution.deployed(run, None)
    assert trained == small and trained.keys() == {"accuracy", "loss"}
    assert binary_evolution.spread([0.5, 0.7]) == "60.0 +- 14.1" and binary_evolution.spread([0.5]) == "50.0"


def test_equal_networks_give_equal_files(run, tmp_path):
    reloaded = reload(run)
    network = best(run, reloaded)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        bundle(network, reloaded.facts, tmp_path / name)
    with zipfile.ZipFile(tmp_path / "a" / NAME) as one, zipfile.ZipFile(tmp_path / "b" / NAME) as other:
        assert one.namelist() == other.namelist()
        for name in set(one.namelist()) - {"model.pt2"}:  # torch writes its archive with numbers of its own
            assert one.read(name) == other.read(name), name
        modules = {name.removesuffix(".py").replace("/", ".") for name in one.namelist()} - {"model.pt2", "__main__"}
    assert modules == {*bundling.MODULES, *(f"{package}.__init__" for package in bundling.EMPTY)}, "no more than is imported"


def test_other_bits_are_no_export(run, tmp_path, monkeypatch):
    reloaded = reload(run)
    network = best(run, reloaded)
    wrong = bundling.packed

    def changed(network):
        made = wrong(network)
        with torch.no_grad():
            list(made.modules())[-1].bias[0] += 1e-4
        return made

    monkeypatch.setattr(bundling, "packed", changed)
    with pytest.raises(NotExported, match="the packed network differs from the real one by up to"):
        bundle(network, reloaded.facts, tmp_path)
    assert not (tmp_path / NAME).exists()


def test_what_cannot_be_deployed_is_told(run, tmp_path, capsys):
    refused(call, ["deploy", str(tmp_path)], ["is no run folder"], capsys)
    darts = finished(DARTS, tmp_path / "darts")
    refused(call, ["deploy", str(darts)], ["no convolution with binary weights: there is nothing to pack"], capsys)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "config.json").write_text((run / "config.json").read_text())
    refused(call, ["deploy", str(tmp_path / "unfinished")], ["has no best network yet"], capsys)


def test_describe_counts_a_found_network_as_its_run_did(run, tmp_path):
    width = finished(WIDTH, tmp_path / "width")
    for system, path in ((GROUPS, run), (WIDTH, width)):
        row = json.loads((path / "retrained.jsonl").read_text().splitlines()[0])
        described = system.described(system.describing(arch=str(path / "best" / "arch.json")))
        assert {name: described[name] for name in row["cost"]} == row["cost"], system.name


def test_widths_are_deployed_too(tmp_path):
    path = finished(WIDTH, tmp_path / "width", "space.body=resnet", "space.base=[8,16]")
    reloaded = reload(path)
    with torch.random.fork_rng([]):
        made = bundle(best(path, reloaded), replace(reloaded.facts), tmp_path)
    assert made.images == IMAGES and made.bytes == (tmp_path / NAME).stat().st_size


def test_a_run_of_another_task_is_named(run, monkeypatch, tmp_path):
    from common.stages import reload as reloading

    other = type("Reloaded", (), {"facts": object(), "source": None})()
    monkeypatch.setattr(reloading, "reload", lambda run: other)
    with pytest.raises(UserError, match="is a run of another task, without binary weights"):
        deploy(run)

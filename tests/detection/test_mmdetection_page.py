"""docs/mmdetection.md: its configurations train with mmengine's Runner, and its scripts run, as they stand on the page."""

import os
import re
import runpy
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image

pytest.importorskip("mmdet")
import mmdet

from common.run.checkpoint import read_weights, save_weights
from common.stages.reload import reload
from detection.data import embedded, write_coco
from detection.detnas.backbones import DetNASNet
from detection.detnas.space import backbone, published_classifier
from detection.efficientdet.mmdet_parts import SearchedEfficientNet
from detection.systems import SYSTEMS
from tests.contracts.mm_pages import runner_of, write_files
from tests.contracts.runs import finished
from tests.docs.commands import ROOT, files_of

PAGE = "docs/mmdetection.md"
FEW = ["data.train=8", "data.val=4", "data.test=4", "pictures=0"]
SETTINGS = {
    # levels and width of the page's head
    "nas-fpn": [*FEW, "pyramid.levels=[3,4,5,6,7]", "pyramid.width=64", "head.anchor_sizes=[20,28,36,48,64]"],
    "detnas": FEW,
}


def scramble(run):
    """Gives the found network of a run weights that no seed gives."""
    reloaded = reload(run)
    network = reloaded.network(reloaded.networks.baseline)
    generator = torch.Generator().manual_seed(5)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.01, 0.1, generator=generator)
    save_weights(run / "best" / "model.safetensors", network)
    return network.eval()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the page's files, the data, the picture and the runs that they name; trainings have one epoch."""
    folder = tmp_path_factory.mktemp("page")
    write_files(PAGE, folder)
    write_coco(embedded(train=4, val=1, test=2), folder / "my-data")
    Image.open(next((folder / "my-data" / "images").rglob("*.png"))).save(folder / "photo.jpg")
    for system in SYSTEMS:
        if system.name in SETTINGS:
            scramble(finished(system, folder / "runs" / system.name, *SETTINGS[system.name]))
    scramble(finished(SYSTEMS[0], folder / "runs" / "detnas-fpn", *FEW, name="detnas-fpn"))
    return folder


@pytest.fixture
def runner(place, monkeypatch):
    """(name of a configuration, changes of it) -> a Runner in the folder of the files."""
    monkeypatch.chdir(place)
    import detection.mmdet_types  # noqa: F401

    return partial(runner_of, place)


def test_each_file_of_the_page_is_tried_and_one_epoch_takes_the_place_of_twelve():
    assert set(files_of(PAGE)) == {
        *("base.py", "retinanet.py", "bifpn.py", "found.py", "whole.py"),
        *("write_model.py", "use.py"),
    }
    text = (ROOT / PAGE).read_text()
    assert text.count("max_epochs=12") == text.count("epoch_12.pth") == 1


def test_the_table_of_channels_is_right():
    rows = re.findall(r"^\| `(\w+)`, (.*?) +\| ([\d, ]+) \| ([\d, ]+) \|$", (ROOT / PAGE).read_text(), re.MULTILINE)
    assert len(rows) == 5
    for kind, which, channels, strides in rows:
        if kind == "DetNASNet":
            size = backbone(which.split()[1])
            found = [stage.width for stage in size.stages], [4 * 2**i for i in range(len(size.stages))]
            assert all(published_classifier(name)[0].backbone == size for name in re.findall(r"`(\w+)`", which))
            assert DetNASNet("0 0 0 0 0 0 0 0").channels == (16, 32, 64)
        else:
            net = SearchedEfficientNet(which.split()[0])
            found = list(net.channels), list(net.strides)
            assert SearchedEfficientNet(which.split()[-1]).channels == net.channels
        assert ([int(n) for n in channels.split(",")], [int(n) for n in strides.split(",")]) == found


@pytest.mark.parametrize(
    ("name", "backbone", "neck"), [("retinanet", "DetNASNet", "SearchedFPN"), ("bifpn", "SearchedEfficientNet", "BiFPN")]
)
def test_a_configuration_trains_and_its_checkpoint_finds_objects(runner, place, name, backbone, neck):
    made = runner(name)
    before = {key: value.clone() for key, value in made.model.state_dict().items()}
    trained = made.train()
    assert (type(trained.backbone).__name__, type(trained.neck).__name__, made.iter) == (backbone, neck, 2)
    after = trained.state_dict()
    moved = {key.split(".")[0] for key in after if not torch.equal(after[key], before[key])}
    assert moved == {"backbone", "neck", "bbox_head"}
    from mmdet.apis import inference_detector, init_detector

    every = {"model.test_cfg.score_thr": 0.0}  # two steps of training find nothing
    detector = init_detector(str(place / f"{name}.py"), str(place / "work" / "epoch_1.pth"), device="cpu", cfg_options=every)
    loaded = detector.state_dict()
    assert loaded.keys() == after.keys() and all(torch.equal(loaded[key], after[key]) for key in after)
    assert detector.dataset_meta["classes"] == ("zero", "one", "two", "three", "four")
    found = inference_detector(detector, str(place / "photo.jpg")).pred_instances
    assert found.bboxes.shape == (len(found.scores), 4) and len(found.scores) > 0


def test_init_cfg_loads_every_tensor_of_the_parts_of_two_runs(runner, place):
    model = runner("found").model
    model.init_weights()
    for part, run in (("backbone", "detnas"), ("neck", "nas-fpn")):
        wanted = read_weights(place / "runs" / run / "best" / "model.safetensors")
        own = model.get_submodule(part).net.state_dict()
        assert {f"net.{part}.{key}" for key in own} == {key for key in wanted if key.startswith(f"net.{part}.")}
        assert all(torch.equal(value, wanted[f"net.{part}.{key}"]) for key, value in own.items())
    assert len(model.neck.net.stacks) == 2  # of the run's settings; seven without them


TRAINING = 'Runner.from_cfg(Config.fromfile("found.py")).train()\n'


@pytest.mark.slow
def test_mmdetections_scripts_and_that_of_the_page_run_in_a_process_of_their_own(place):
    """Nothing has imported mmdet before. Its train.py is as it is, test.py has the first line that the page gives it."""
    tools = Path(mmdet.__file__).parent / ".mim" / "tools"
    used = (place / "use.py").read_text()
    assert TRAINING in used
    (place / "test.py").write_text("import detection.mmdet_types\n" + (tools / "test.py").read_text())
    (place / "used.py").write_text(used.replace(TRAINING, ""))  # train.py has done that
    calls = [(str(tools / "train.py"), "found.py"), ("test.py", "found.py", "work/epoch_1.pth"), ("used.py",)]
    code = f"""
import runpy, sys
for words in {calls}:
    sys.argv = list(words)
    runpy.run_path(words[0], run_name="__main__")
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Epoch(train) [1][2/2]" in done.stdout and "Epoch(test) [1/1]" in done.stdout
    assert done.stdout.rstrip().endswith("dtype=torch.int64)")  # the classes found, the last that is printed


def test_a_whole_detector_gives_the_outputs_of_the_run(runner, place, monkeypatch):
    monkeypatch.chdir(place)
    for run in ("detnas", "nas-fpn", "detnas-fpn"):
        reloaded = reload(place / "runs" / run)
        network = scramble(place / "runs" / run)
        for name in ("write_model.py", "whole.py"):
            (place / f"{run}_{name}").write_text((place / name).read_text().replace("runs/detnas", f"runs/{run}"))
        runpy.run_path(str(place / f"{run}_write_model.py"))
        made = runner(f"{run}_whole")
        made.test()
        image = reloaded.facts.example()[0] + torch.arange(3 * 64, dtype=torch.uint8).reshape(3, 1, 64)
        with torch.no_grad():
            batch = made.model.data_preprocessor({"inputs": [image[0].flip(0)]})["inputs"]  # as a file is read: BGR
            scores, boxes = made.model.bbox_head(made.model.extract_feat(batch))
            wanted = network(image)
        assert any(score.std() > 0.01 for score in scores)
        torch.testing.assert_close((*scores, *boxes), wanted)  # a run's convolutions are in channels-last order

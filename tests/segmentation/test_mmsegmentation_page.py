"""docs/mmsegmentation.md: its configurations train with mmengine's Runner, and its script runs, as they stand on the page."""

import json
import runpy
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("mmseg")

from common.errors import UserError
from common.run.checkpoint import read_weights, save_weights
from common.stages.reload import reload
from segmentation.dcnas.backbones import DCNAS
from segmentation.dcnas.sizes import SIZES
from segmentation.systems import SYSTEMS
from tests.contracts.mm_pages import runner_of, write_files
from tests.contracts.runs import finished
from tests.docs.commands import ROOT, files_of

PAGE = "docs/mmsegmentation.md"
RUN = "runs/dcnas/best/model.safetensors"
FEW = ["space.width=8", "head.channels=32", "data.train=4", "data.val=2", "data.test=2"]

pytestmark = pytest.mark.filterwarnings("ignore:``build_loss`` would be deprecated")  # mmseg's heads call it


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the page's files, the data, the picture and the run that they name; trainings have one epoch."""
    folder = tmp_path_factory.mktemp("page")
    write_files(PAGE, folder)
    rng = np.random.default_rng(0)
    for name, shape, top in (("train", (64, 64, 3), 256), ("trainannot", (64, 64), 3)):
        (folder / "my-data" / name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, top, shape, dtype=np.uint8)).save(folder / "my-data" / name / f"{i}.png")
    Image.open(folder / "my-data" / "train" / "0.png").save(folder / "photo.jpg")
    run = finished(SYSTEMS[0], folder / "runs" / "dcnas", *FEW)
    reloaded = reload(run)
    network = reloaded.network(reloaded.networks.baseline)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.01, 0.1, generator=torch.Generator().manual_seed(5))
    save_weights(run / "best" / "model.safetensors", network)
    return folder


@pytest.fixture
def runner(place, monkeypatch):
    """(name of a configuration, changes of it) -> a Runner in the folder of the files."""
    monkeypatch.chdir(place)
    import segmentation.mmseg_types  # noqa: F401

    return partial(runner_of, place)


def classes_of(place):
    return json.loads((place / "runs" / "dcnas" / "config.json").read_text())["data"]["classes"]


def test_each_file_of_the_page_is_tried_and_one_epoch_takes_the_place_of_twelve():
    assert set(files_of(PAGE)) == {"unet.py", "found.py", "whole.py", "use.py"}
    text = (ROOT / PAGE).read_text()
    assert text.count("max_epochs=12") == text.count("epoch_12.pth") == 1


@pytest.mark.parametrize("space", SIZES)
def test_the_table_of_channels_is_right(space):
    network = DCNAS("unet", space, width=SIZES[space].space().width)
    row = next(line for line in (ROOT / PAGE).read_text().splitlines() if line.startswith("|") and f"`{space}`" in line)
    numbers = [tuple(map(int, cell.split(","))) for cell in row.split("|")[2:4]]
    assert numbers == [network.channels, network.net.strides]


def test_a_configuration_trains_and_its_checkpoint_labels_a_picture(runner, place):
    made = runner("unet")
    before = {key: value.clone() for key, value in made.model.state_dict().items()}
    trained = made.train()
    after = trained.state_dict()
    assert isinstance(trained.backbone, DCNAS) and made.iter == 2
    assert {key.split(".")[0] for key in after if not torch.equal(after[key], before[key])} == {"backbone", "decode_head"}
    from mmseg.apis import inference_model, init_model

    network = init_model(str(place / "unet.py"), str(place / "work" / "epoch_1.pth"), device="cpu")
    loaded = network.state_dict()
    assert loaded.keys() == after.keys() and all(torch.equal(loaded[key], after[key]) for key in after)
    found = inference_model(network, str(place / "photo.jpg")).pred_sem_seg.data
    assert found.shape == (1, 64, 64) and set(found.unique().tolist()) <= {0, 1, 2}


def test_init_cfg_loads_every_tensor_of_the_backbone(runner, place):
    model = runner("found").model
    model.init_weights()
    wanted = {key: value for key, value in read_weights(place / RUN).items() if key.startswith("net.backbone.")}
    own = {f"net.backbone.{key}": value for key, value in model.backbone.net.state_dict().items()}
    assert own.keys() == wanted.keys() and all(torch.equal(own[key], wanted[key]) for key in own)


def test_the_script_trains_and_prints_what_it_finds(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    runpy.run_path(str(place / "use.py"))
    assert "torch.Size([1, 64, 64])" in capsys.readouterr().out


def test_the_hook_loads_the_head_as_well(runner, place):
    classes = classes_of(place)
    more = {"classes": classes, "palette": [[0, 0, i] for i in range(len(classes))]}
    changes = {"model.decode_head.num_classes": len(classes), "train_dataloader.dataset.metainfo": more}
    made = runner("whole", **changes)
    model = made.model
    (hook,) = [hook for hook in made.hooks if type(hook).__name__ == "LoadRun"]
    hook.before_train(made)
    wanted = read_weights(place / RUN)
    own = {
        f"net.{key.replace('backbone.net.', 'backbone.') if key.startswith('backbone.') else key}": value
        for key, value in model.state_dict().items()
    }
    assert own.keys() == wanted.keys() and all(torch.equal(own[key], wanted[key]) for key in own)


def test_other_classes_are_refused(runner, place):
    count = len(classes_of(place))
    with pytest.raises(UserError, match=f"trained for {count} classes .*decode_head has num_classes=3; set num_classes={count}"):
        runner("whole").train()
    metainfo = {"classes": ["x"] * count, "palette": [[0, 0, 0]] * count}
    changes = {"model.decode_head.num_classes": count, "train_dataloader.dataset.metainfo": metainfo}
    with pytest.raises(UserError, match=r"its classes are .*those of the configuration's data are x, x"):
        runner("whole", **changes).train()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"arch": "vnet"}, "vnet: no such file, and the one wiring that has a name is unet"),
        ({"arch": "unet", "space": "large"}, "space 'large' does not exist; choose one of smoke"),
        ({"arch": "unet", "init_cfg": {"type": "Xavier"}}, "DCNAS: init_cfg of type 'Xavier'"),
        ({"arch": "runs"}, "runs is a folder; of a run, give runs/best/arch.json"),
    ],
)
def test_what_is_no_architecture_is_refused(place, monkeypatch, given, message):
    monkeypatch.chdir(place)
    with pytest.raises(UserError, match=message):
        DCNAS(**given)


def test_weights_of_another_architecture_are_refused(place):
    file = {"type": "Pretrained", "checkpoint": str(place / RUN)}
    for changes in ({"width": 16}, {"arch": "unet", "space": "small"}):
        network = DCNAS(**{"arch": str(place / "runs" / "dcnas" / "best" / "arch.json"), "init_cfg": file, **changes})
        with pytest.raises(UserError, match=r"does not fit the backbone DCNAS of this configuration: .*weights of this arch"):
            network.init_weights()

"""DCNAS in plain mmsegmentation configurations."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from common.arch import save
from common.errors import UserError
from segmentation import mm
from segmentation.dcnas.backbones import DCNAS, DCNASSupernet
from segmentation.dcnas.derive import derived, random_derived
from segmentation.dcnas.sizes import SIZES


def config(folder, backbone: dict, in_channels: list[int]) -> dict:
    """As a user writes it, but for the few steps."""
    return {
        "custom_imports": {"imports": ["segmentation.dcnas.mmseg_backbones"]},
        "model": {
            "type": "EncoderDecoder",
            "data_preprocessor": {
                "type": "SegDataPreProcessor",
                "mean": [0, 0, 0],
                "std": [255] * 3,
                "size": (40, 48),
                "seg_pad_val": 255,
            },
            "backbone": backbone,
            "decode_head": {
                "type": "SegformerHead",
                "in_channels": in_channels,
                "in_index": [0, 1, 2],
                "channels": 8,
                "num_classes": 3,
                "norm_cfg": {"type": "BN"},
                "loss_decode": {"type": "CrossEntropyLoss", "avg_non_ignore": True},
            },
            "train_cfg": {},
            "test_cfg": {"mode": "whole"},
        },
        "default_scope": "mmseg",
        "work_dir": str(folder / "work"),
        "train_dataloader": {
            "batch_size": 2,
            "num_workers": 0,
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "dataset": {
                "type": "BaseSegDataset",
                "data_root": str(folder),
                "data_prefix": {"img_path": "img", "seg_map_path": "ann"},
                "img_suffix": ".png",
                "metainfo": {"classes": ("a", "b", "c"), "palette": [[0, 0, 0], [1, 1, 1], [2, 2, 2]]},
                "pipeline": [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}, {"type": "PackSegInputs"}],
            },
        },
        "train_cfg": {"type": "IterBasedTrainLoop", "max_iters": 2},
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.1}},
        "default_hooks": {"checkpoint": None},
        "log_level": "ERROR",
        "experiment_name": folder.name,
    }


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    for name, shape, top in (("img", (40, 48, 3), 256), ("ann", (40, 48), 3)):
        (tmp_path / name).mkdir()
        for i in range(4):
            Image.fromarray(rng.integers(0, top, shape, dtype=np.uint8)).save(tmp_path / name / f"{i}.png")
    return tmp_path


@pytest.mark.filterwarnings("ignore:``build_loss`` would be deprecated")  # mmseg's heads call it
@pytest.mark.parametrize("kind", ["DCNAS", "DCNASSupernet"])
def test_a_plain_configuration_builds_and_trains(pictures, kind):
    mm.prepare()
    from mmengine.config import Config
    from mmengine.runner import Runner

    backbone = {"type": kind, "space": "smoke", "width": 4} | ({"arch": "unet"} if kind == "DCNAS" else {})
    file = pictures / "config.json"
    file.write_text(json.dumps(config(pictures, backbone, [4, 8, 16])))
    runner = Runner.from_cfg(Config.fromfile(file))
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}
    trained = runner.train()
    assert isinstance(trained.backbone, DCNAS if kind == "DCNAS" else DCNASSupernet)
    assert trained.backbone.channels == (4, 8, 16) and runner.iter == 2
    moved = {k for k, v in trained.state_dict().items() if not torch.equal(v, before[k])}
    assert "backbone.net.stem.0.weight" in moved and "decode_head.conv_seg.weight" in moved
    if kind == "DCNASSupernet":
        assert int(trained.backbone.step) == 2
        logits = [name for name in before if name.startswith("backbone.logits.")]
        assert len(logits) == 2 * len(SIZES["smoke"].space().cells) and moved.issuperset(logits[-2:])


def test_the_supernet_samples_in_training_and_mixes_all_in_eval_mode():
    net = DCNASSupernet("smoke", width=4, keep=0.5, seed=3)
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    slots = net._relaxation.supernet.slots
    last = "cells.s2_l4.inputs"
    live = []
    for _ in range(2):
        net(x)
        live.append(slots[last].mixed.live)
        assert len(live[-1]) == -(-len(net.space.cells["s2_l4"].inputs.options) // 2)
    assert live[0] != live[1]
    again = DCNASSupernet("smoke", width=4, keep=0.5, seed=3)
    again.load_state_dict(net.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(net(x), again(x), strict=True))  # the step of both is 2
    assert slots[last].mixed.live == again._relaxation.supernet.slots[last].mixed.live
    net.eval()(x)
    assert slots[last].mixed.live is None
    assert derived(net.space, net.strengths()).keys() == random_derived(net.space, 0).keys()


def test_a_file_gives_the_network_it_was_written_for(tmp_path):
    space = SIZES["small-neighbour"].space()
    arch = random_derived(space, 1)
    save(tmp_path / "arch.json", space, arch)
    net = DCNAS(str(tmp_path / "arch.json"))
    assert set(net.net.cells) <= set(space.cells) and net.channels == (16, 32, 64, 128)
    with pytest.raises(UserError, match="space 'large' does not exist"):
        DCNASSupernet("large")

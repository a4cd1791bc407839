"""DetNAS's backbones in plain mmdet configurations, trained by mmengine's own Runner."""

import copy
import pickle
import sys
from random import Random

import pytest
import torch

from common.errors import UserError
from common.space import decode, sample
from detection.data import embedded, write_coco
from detection.detnas.backbones import DetNASNet, DetNASSupernet
from detection.detnas.model import build
from detection.detnas.space import arch_of_genes, published_classifier

CONFIG = """
custom_imports = dict(imports=["detection.detnas.mmdet_backbones"])
default_scope = "mmdet"
experiment_name = "{name}"
work_dir = r"{folder}/work"
log_level = "ERROR"
model = dict(
    type="RetinaNet",
    data_preprocessor=dict(
        type="DetDataPreprocessor", mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict({backbone}),
    neck=dict(type="FPN", in_channels={channels}, out_channels=16, start_level=1, num_outs={levels}),
    bbox_head=dict(
        type="RetinaHead",
        num_classes=5,
        in_channels=16,
        feat_channels=16,
        stacked_convs=1,
        anchor_generator=dict(
            type="AnchorGenerator", octave_base_scale=3, scales_per_octave=1, ratios=[1.0], strides={strides}
        ),
    ),
    train_cfg=dict(
        assigner=dict(type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0, ignore_iof_thr=-1),
        allowed_border=-1,
        pos_weight=-1,
    ),
)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CocoDataset",
        data_root=r"{folder}/coco",
        ann_file="annotations/instances_train.json",
        data_prefix=dict(img="images/"),
        metainfo=dict(classes=("zero", "one", "two", "three", "four")),
        pipeline=[dict(type="LoadImageFromFile"), dict(type="LoadAnnotations", with_bbox=True), dict(type="PackDetInputs")],
    ),
)
train_cfg = dict(type="IterBasedTrainLoop", max_iters={steps})
optim_wrapper = dict(optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=0.1))
default_hooks = dict(checkpoint=None)
"""


def train(folder, name: str, backbone: str, channels: list[int], steps: int):
    """The backbone before and after training, from a configuration file that names it."""
    write_coco(embedded(train=4, val=1, test=1), folder / "coco")
    strides = [4 * 2**i for i in range(1, len(channels))]
    text = CONFIG.format(
        name=name, folder=folder, backbone=backbone, channels=channels, levels=len(strides), strides=strides, steps=steps
    )
    file = folder / "config.py"
    file.write_text(text)
    from detection import mm

    mm.prepare()
    from mmdet.registry import MODELS
    from mmengine.config import Config
    from mmengine.runner import Runner

    for kind in ("DetNASNet", "DetNASSupernet"):  # so that the configuration's own import is what registers them
        MODELS.module_dict.pop(kind, None)
    sys.modules.pop("detection.detnas.mmdet_backbones", None)
    runner = Runner.from_cfg(Config.fromfile(file))
    before = copy.deepcopy(runner.model.backbone)
    trained = runner.train()
    assert runner.iter == steps
    return before, trained.backbone


def test_a_published_backbone_trains_with_mmengines_runner(tmp_path):
    settings = 'type="DetNASNet", arch="COCO_FPN_300M", out_indices=(0, 1, 2, 3)'
    before, after = train(tmp_path, "detnas-net", settings, [64, 160, 320, 640], steps=2)
    assert isinstance(after, DetNASNet)
    settled = decode(*published_classifier("COCO_FPN_300M"))
    reference = build(settled.backbone).state_dict()
    own = before.net.state_dict()
    assert own.keys() == reference.keys()
    assert all(torch.equal(own[k], reference[k]) for k in own)  # mmengine's initialisation has left it alone
    still = [name for name, p in after.named_parameters() if torch.equal(p, before.get_parameter(name))]
    assert not still


def test_a_supernet_trains_one_path_a_step_with_mmengines_runner(tmp_path):
    settings = 'type="DetNASSupernet", space="tiny", seed=3'
    before, after = train(tmp_path, "detnas-supernet", settings, [16, 32, 64], steps=3)
    assert isinstance(after, DetNASSupernet)
    paths = [after.path_at(step) for step in range(3)]
    assert int(after.step) == 3
    assert after.active == paths[-1]
    on_paths = {f"net.{name}" for name in _weights_on(DetNASSupernet("tiny", seed=3), paths)}
    moved = {name for name, p in after.named_parameters() if not torch.equal(p, before.get_parameter(name))}
    assert moved == on_paths
    assert len(moved) < len(list(after.parameters()))  # no weight decay on the rest
    after.eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        maps = after(x)
        expected = after._supernet.extract(paths[-1], build)(x)
    assert all(torch.equal(a, b) for a, b in zip(maps, expected))
    assert int(after.step) == 3


def _weights_on(net: DetNASSupernet, paths) -> set[str]:
    names = set()
    for path in paths:
        net.activate(path)
        names |= {name for name, _ in net._supernet.active_parameters()}
    return names


def test_paths_are_a_function_of_seed_and_step_and_go_on_from_a_checkpoint():
    net = DetNASSupernet("tiny", seed=1)
    assert [net.path_at(step) for step in range(6)] == [DetNASSupernet("tiny", seed=1).path_at(step) for step in range(6)]
    assert len({net.path_at(step) for step in range(6)}) == 6
    assert net.path_at(0) != DetNASSupernet("tiny", seed=2).path_at(0)
    x = torch.randn(2, 3, 32, 32)
    net(x), net(x)
    resumed = DetNASSupernet("tiny", seed=1)
    resumed.load_state_dict(net.state_dict())
    resumed(x)
    assert resumed.active == net.path_at(2)


def test_eval_mode_runs_the_path_that_is_activated():
    net = DetNASSupernet("tiny").eval()
    x = torch.randn(1, 3, 32, 32)
    first = net(x)
    arch = sample(net.space, Random(0))
    net.activate(arch)
    second = net(x)
    assert not torch.equal(first[-1], second[-1])
    assert all(torch.equal(a, b) for a, b in zip(second, net._supernet.extract(arch, build)(x)))
    assert int(net.step) == 0


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_has_paths_of_its_own(duplicate):
    net = DetNASSupernet("tiny").eval()
    twin = duplicate(net)
    x = torch.randn(1, 3, 32, 32)
    before = net(x)[-1]
    twin.activate(arch_of_genes(twin.space, (3,) * 8))
    assert torch.equal(net(x)[-1], before)
    assert not torch.equal(twin(x)[-1], before)


def test_stages_after_the_last_one_wanted_are_left_out():
    net = DetNASNet("COCO_FPN_300M", out_indices=(0, 2))
    assert net.channels == (64, 320)
    assert [tuple(m.shape) for m in net(torch.randn(1, 3, 64, 64))] == [(1, 64, 16, 16), (1, 320, 4, 4)]
    assert len(net.net.stages) == 3
    assert DetNASSupernet("tiny", out_indices=[1]).channels == (32,)
    assert DetNASNet("0 1 2 3 0 1 2 3", space="tiny").channels == (16, 32, 64)


@pytest.mark.parametrize("indices", [(), (0, 3), (1, 0), (0, 0), (-1,)])
def test_stages_that_do_not_exist_are_refused(indices):
    with pytest.raises(UserError, match=r"out_indices .*the backbone has 3 stages; give numbers from 0, ascending"):
        DetNASSupernet("tiny", out_indices=indices)


def test_unknown_architectures_and_spaces_are_refused():
    with pytest.raises(UserError, match="'ResNet50' is no published name"):
        DetNASNet("ResNet50")
    with pytest.raises(UserError, match="space '2G' does not exist"):
        DetNASSupernet("2G")

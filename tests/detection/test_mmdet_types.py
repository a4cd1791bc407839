"""Types of this package in mmdetection's configurations: what is refused, in which words, and what counts as a fit."""

import copy
import json
from dataclasses import replace
from random import Random
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("mmdet")

from common.arch import save
from common.errors import UserError
from common.run.checkpoint import read_weights
from common.space import decode, sample
from detection import mm
from detection.backbones.descriptions import KINDS
from detection.detnas.space import arch_of_genes, classifier, detector
from detection.efficientdet.space import family, smallest
from detection.efficientdet.system import SYSTEM as EFFICIENTDET
from detection.heads import SMALL_RETINANET
from detection.nas_fpn.system import SYSTEM as NAS_FPN
from detection.necks.merges import merges
from detection.necks.settings import PyramidSettings
from tests.contracts.runs import finished

TINY = {"type": "DetNASNet", "arch": "0 1 2 3 0 1 2 3", "space": "tiny"}
MAPS = [16, 32, 64]


@pytest.fixture(scope="module")
def types():
    import detection.mmdet_types

    module = detection.mmdet_types
    kinds = [kind.resolve() for system in module.SYSTEMS for kind in system.types]
    return SimpleNamespace(**{kind.__name__: kind for kind in kinds}, model_of=module.model_of, LoadRun=module.LoadRun)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of NAS-FPN with one of EfficientDet."""
    folder = tmp_path_factory.mktemp("runs")
    few = ("data.train=8", "data.val=4", "data.test=4", "pictures=0")
    return {system.name: finished(system, folder / system.name, *few) for system in (NAS_FPN, EFFICIENTDET)}


def pretrained(file, **more):
    return dict(type="Pretrained", checkpoint=str(file), **more)


def weights(run):
    return run / "best" / "model.safetensors"


def refused(message, function, *args, **named):
    """The call ends in a single line that has all parts of `message`, in order."""
    with pytest.raises(UserError, match=message) as caught:
        function(*args, **named)
    assert "\n" not in str(caught.value)


def test_the_names_of_the_types_are_mmdetections_too(types):
    from mmdet.registry import HOOKS, MODELS

    for name in ("DetNASNet", "DetNASSupernet", "SearchedEfficientNet", "SearchedFPN", "BiFPN"):
        assert MODELS.get(name) is getattr(types, name)
    assert HOOKS.get("LoadRun") is types.LoadRun


@pytest.mark.parametrize(
    ("name", "arch", "message"),
    [
        ("DetNASNet", "ResNet50", "'ResNet50' is no published name"),
        ("DetNASNet", "gone.json", "gone.json: cannot be read .*give an architecture file"),
        ("SearchedFPN", "nine", "'nine' is no published name"),
        ("SearchedFPN", "7@x", "write STACKS@WIDTH, 7@256 say"),
        ("SearchedFPN", "gone.json", "gone.json: cannot be read .*give an architecture file"),
        ("BiFPN", "D8", r"'D8' is no published name \(D0, D1"),
        ("SearchedEfficientNet", "b9", r"'b9' is no published name"),
        ("SearchedEfficientNet", "gone.json", "gone.json: cannot be read"),
    ],
)
def test_unknown_architectures_and_missing_files_are_refused(types, name, arch, message):
    more = {"in_channels": MAPS} if name in ("SearchedFPN", "BiFPN") else {}
    refused(message, getattr(types, name), arch=arch, **more)


def test_a_file_of_another_system_is_refused(types, runs, tmp_path):
    net = classifier("tiny")
    save(tmp_path / "detnas.json", net, arch_of_genes(net, (0,) * 8))
    pyramid, family = (str(runs[name] / "best" / "arch.json") for name in ("nas-fpn", "efficientdet"))
    refused("none of NAS-FPN's; give a file of this system", types.SearchedFPN, str(tmp_path / "detnas.json"), MAPS)
    refused("arch.json: decision 'backbone.stages.0.blocks.0' is missing; it needs one of", types.DetNASNet, pyramid)
    refused("none of EfficientDet's; give a file of this system", types.BiFPN, MAPS, pyramid)
    refused("none of DetNAS's; give a file of this system", types.DetNASNet, family)


@pytest.mark.parametrize(
    ("maps", "start", "message"),
    [
        ([], None, r"in_channels=\[\] has 0 maps, .* leaves 0; .* levels 3 to 7; leave it 1 to 5 maps, the first of stride 8"),
        ([8] * 6, None, r"in_channels=\[8, 8, 8, 8, 8, 8\] has 6 maps, of which start_level=0 leaves 6"),
        ([8, 8], 2, "start_level=2 leaves 0"),
        ([8, 8], -1, "start_level=-1"),
        ([8, 0], None, r"in_channels=\[8, 0\]; give a list of channels, e.g. \[64, 128, 256\], or the backbone's own entry"),
        (64, None, "in_channels=64; give a list"),
        ("64", None, "in_channels='64'; give a list"),
        (
            {"type": "DetNASNet", "arch": "COCO_FPN_300M", "out_indices": (1, 3)},
            None,
            r"strides \(8, 32\), .* 3 to 7 .*; give out_indices",
        ),
        (
            {"type": "DetNASNet", "arch": "COCO_FPN_300M", "out_indices": (0,)},
            None,
            r"strides \(4,\), the pyramid's levels 3 to 7",
        ),
    ],
)
@pytest.mark.parametrize("name", ["SearchedFPN", "BiFPN"])
def test_maps_that_do_not_fit_the_levels_are_refused(types, name, maps, start, message):
    arch = {"SearchedFPN": "lite:1@8", "BiFPN": "D0"}[name]
    refused(f"{name}: .*{message}", getattr(types, name), arch=arch, in_channels=maps, start_level=start)


def test_a_backbone_that_gives_no_maps_is_refused(types):
    from mmdet.registry import MODELS

    class Reads(torch.nn.Module):
        def forward(self, x):
            return [x[:, :, :: int(x.sum()) or 1]]

    MODELS.register_module(name="TestReads", module=Reads, force=True)
    refused("maps of backbone TestReads cannot be found .*give their channels", types.BiFPN, {"type": "TestReads"})


def test_a_neck_reads_channels_and_first_map_from_any_backbone(types):
    images = torch.zeros(2, 3, 64, 64)
    resnet = types.SearchedFPN("lite:1@8", {"type": "ResNet", "depth": 18})
    assert resnet._into == (64, 128, 256, 512) and resnet._first == 1
    swin = types.SearchedFPN("lite:1@8", {"type": "SwinTransformer", "depths": (1, 1, 1, 1), "drop_path_rate": 0.1})
    assert swin._into == (96, 192, 384, 768) and swin._first == 1
    tiny = types.SearchedFPN("lite:1@8", TINY)
    listed = types.SearchedFPN("lite:1@8", MAPS, start_level=1)
    maps = types.DetNASNet(TINY["arch"])(images)
    assert all(map(torch.equal, tiny(maps), listed(maps)))
    assert [tuple(x.shape) for x in tiny(maps)] == [(2, 8, side, side) for side in (8, 4, 2, 1, 1)]
    assert (tiny.channels, tiny.strides) == ((8,) * 5, (8, 16, 32, 64, 128))
    refused(r"in_channels is \[16, 32, 64\], .* have \[32, 64\] channels; give these, or .*in_channels=backbone", tiny, maps[1:])


def test_building_a_neck_takes_no_random_numbers_and_depends_on_its_seed(types):
    state = torch.random.get_rng_state()
    types.BiFPN({"type": "ResNet", "depth": 18})
    one, same, other = (types.BiFPN(TINY, "D0", seed=seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(one[key], same[key]) for key in one) and not all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"arch": "7@8", "stacks": 2}, "SearchedFPN: arch '7@8' says stacks itself; leave one of the two out"),
        ({"arch": "7@8", "out_channels": 8}, "says out_channels itself"),
        ({"arch": "7@8", "gate": "max"}, "gate 'max' does not exist; choose one of coarse-max, fine-mean"),
        ({"arch": "1@8", "stacks": 0}, "stacks=0; give a whole number, 1 at least"),
    ],
)
def test_sizes_of_a_pyramid_are_checked(types, sizes, message):
    refused(message, types.SearchedFPN, in_channels=MAPS, **sizes)


def test_a_file_of_a_joint_search_gives_its_backbone_and_its_pyramid(types, tmp_path):
    for levels, between in (((3, 4, 5), 1), ((2, 3, 4), 1), ((3, 4), 0)):
        head = replace(SMALL_RETINANET, anchor_sizes=(8.0,) * len(levels))
        space = detector("tiny", head, 5, PyramidSettings(levels=levels, between=between))
        arch = sample(space, Random(3))
        save(tmp_path / "arch.json", space, arch)
        net, file = decode(space, arch), str(tmp_path / "arch.json")
        neck = types.SearchedFPN(file, [32] * len(levels), out_channels=8, stacks=1)
        assert neck.strides == tuple(2**level for level in levels) and tuple(
            part._cell for part in neck.net.stacks[0].merges
        ) == merges(net.neck.wiring)
        genes = " ".join(str(KINDS.index(kind)) for stage in net.backbone.stages for kind in stage.blocks)
        assert types.DetNASNet(file).net.state_dict().keys() == types.DetNASNet(genes).net.state_dict().keys()
    written = json.loads((tmp_path / "arch.json").read_text())
    written["choices"]["neck.wiring.order"] = "(9, 9)"
    (tmp_path / "arch.json").write_text(json.dumps(written))
    refused("arch.json: ", types.SearchedFPN, file, MAPS)


def test_sizes_of_a_pyramid_are_those_of_the_run_of_its_file(types, runs, tmp_path):
    file = (runs["nas-fpn"] / "best" / "arch.json").read_bytes()
    settings = {"levels": [3, 4, 5], "between": 1, "width": 8, "stacks": 3, "gate": "fine-mean", "lite": True}
    for place in ("run/best", "run/exported/searched-0", "elsewhere/best"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "arch.json").write_bytes(file)
    (tmp_path / "run" / "config.json").write_text(json.dumps({"system": "nas-fpn", "settings": {"pyramid": settings}}))

    def sizes(place, **more):
        made = types.SearchedFPN(str(tmp_path / place / "arch.json"), MAPS, **more)
        first = made.net.stacks[0]
        return made.channels[0], len(made.net.stacks), first.merges[0]._gate, hasattr(first.convs[0], "depthwise")

    assert sizes("run/best") == sizes("run/exported/searched-0") == (8, 3, "fine-mean", True)
    assert sizes("run/best", out_channels=4, stacks=1, gate="coarse-max", lite=False) == (4, 1, "coarse-max", False)
    assert sizes("elsewhere/best", out_channels=16) == (16, 7, "coarse-max", False)
    (tmp_path / "run" / "config.json").write_text(json.dumps({"system": "nas-fpn", "settings": {"pyramid": {"width": "8"}}}))
    refused("config.json: settings.pyramid", sizes, "run/best")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"arch": "D0", "layers": 2}, "BiFPN: arch 'D0' says layers itself; leave one of the two out"),
        ({"arch": "D0", "wiring": "fpn"}, "BiFPN: arch 'D0' says wiring itself; leave one of the two out"),
        ({"layers": 0}, "BiFPN: layers=0; give a whole number"),
        ({"out_channels": 0}, "BiFPN: out_channels=0; give a whole number"),
        ({"levels": (3, 5)}, "give two or more consecutive levels"),
        ({"fusion": "mean"}, "fusion 'mean' does not exist"),
        ({"wiring": "star"}, "wiring 'star' does not exist"),
    ],
)
def test_sizes_of_bifpn_are_checked(types, sizes, message):
    refused(message, types.BiFPN, MAPS, **sizes)


def test_bifpn_of_sizes_is_that_of_the_name(types):
    for name, sizes in (("D0", {}), ("D1", {"out_channels": 88, "layers": 4})):
        named, sized = types.BiFPN(MAPS, name).state_dict(), types.BiFPN(MAPS, **sizes).state_dict()
        assert named.keys() == sized.keys() and all(torch.equal(value, sized[key]) for key, value in named.items())
    assert len(types.BiFPN(MAPS, wiring="fpn", levels=(3, 4, 5), layers=1).net.layers[0].nodes) == 3


@pytest.mark.parametrize(
    ("init_cfg", "message"),
    [
        ({"type": "Kaiming"}, r"DetNASNet: init_cfg of type 'Kaiming'; .* come from a file: init_cfg=dict\(type='Pretrained'"),
        ({"type": "Pretrained"}, "init_cfg names no file; give init_cfg="),
        ({"type": "Pretrained", "checkpoint": "a", "layer": "b"}, "init_cfg has no entry 'layer'; give init_cfg="),
    ],
)
def test_other_ways_to_initialise_are_refused(types, init_cfg, message):
    refused(message, types.DetNASNet, "COCO_FPN_300M", init_cfg=init_cfg)


def test_the_neck_and_backbone_of_an_efficientdet_run_load(types, runs):
    run = runs["efficientdet"]
    arch, file = str(run / "best" / "arch.json"), pretrained(weights(run))
    backbone = types.SearchedEfficientNet(arch, seed=3, init_cfg=file)
    neck = types.BiFPN(backbone.channels, arch, seed=3, init_cfg=file)
    wanted = read_weights(weights(run))
    for part in (backbone, neck):
        own = {f"net.{part.role}.{key}": value for key, value in part.net.state_dict().items()}
        assert any(not torch.equal(value, wanted[key]) for key, value in own.items())
        part.init_weights()
        assert own.keys() == {key for key in wanted if key.startswith(f"net.{part.role}.")}
        assert all(torch.equal(value, wanted[f"net.{part.role}.{key}"]) for key, value in part.net.state_dict().items())


def test_weights_that_do_not_fit_are_refused_and_change_nothing(types, runs, tmp_path):
    run = runs["nas-fpn"]
    fits = types.SearchedFPN(str(run / "best" / "arch.json"), TINY, init_cfg=pretrained(weights(run)))
    fits.init_weights()
    other = types.SearchedFPN("lite:1@24", TINY, init_cfg=pretrained(weights(run)))
    before = copy.deepcopy(other.state_dict())
    refused(r"model.safetensors does not fit the neck SearchedFPN of this configuration: .*architecture", other.init_weights)
    assert all(torch.equal(value, before[key]) for key, value in other.state_dict().items())
    cut = types.DetNASNet("0 0 0 0 0 0 0 0", out_indices=(0, 1), init_cfg=pretrained(weights(run)))
    refused(r"stages.2.0.\S+ is not in the network; .* more; give weights of this architecture", cut.init_weights)
    deeper = types.DetNASNet("COCO_FPN_300M", init_cfg=pretrained(weights(run)))
    refused(r"stem.conv.weight is \(8, 3, 3, 3\), the network has \(16|is missing", deeper.init_weights)
    part = types.BiFPN(MAPS, init_cfg=pretrained(weights(run), prefix="net.pyramid."))
    refused(r"no weights for BiFPN: no tensor's name begins with 'net.pyramid.' \(the first is 'net", part.init_weights)
    gone = types.DetNASNet("COCO_FPN_300M", init_cfg=pretrained(tmp_path / "gone.safetensors"))
    refused("gone.safetensors: cannot be read", gone.init_weights)
    (tmp_path / "text.safetensors").write_text("no weights")
    refused("not a whole safetensors", types.BiFPN(MAPS, init_cfg=pretrained(tmp_path / "text.safetensors")).init_weights)


def test_a_checkpoint_of_the_runner_gives_its_part(types, tmp_path):
    source = types.BiFPN(MAPS, "D0", seed=1)
    state = {f"neck.{key}": value for key, value in source.state_dict().items()} | {"bbox_head.x": torch.zeros(1)}
    torch.save({"state_dict": state}, tmp_path / "epoch.pth")
    for more in ({}, {"prefix": "neck."}):
        loaded = types.BiFPN(MAPS, "D0", init_cfg=pretrained(tmp_path / "epoch.pth", **more))
        loaded.init_weights()
        assert all(torch.equal(value, source.state_dict()[key]) for key, value in loaded.state_dict().items())
    backbone = types.DetNASNet("COCO_FPN_300M", init_cfg=pretrained(tmp_path / "epoch.pth"))
    refused("epoch.pth has no weights for DetNASNet: no tensor's name begins with 'backbone.'", backbone.init_weights)


def test_a_checkpoint_of_another_architecture_is_refused_by_mmengine_s_loading(types):
    from mmengine.runner.checkpoint import load_state_dict

    def detector(arch):
        return torch.nn.ModuleDict({"neck": types.SearchedFPN(arch, MAPS), "head": torch.nn.Linear(1, 1)})

    one, other = detector("lite:1@8"), detector("lite:2@8")
    state = one.state_dict()
    load_state_dict(detector("lite:1@8"), state)
    load_state_dict(other, {key: value for key, value in state.items() if key.startswith("head.")})  # has no neck
    uncounted = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    load_state_dict(detector("lite:1@8"), uncounted)
    message = r"the checkpoint does not fit the neck SearchedFPN of this configuration: net.stacks.1.\S+ is missing"
    refused(message, load_state_dict, other, state)
    refused("is not in the network", load_state_dict, one, other.state_dict())


@pytest.fixture(scope="module")
def whole(types, runs):
    """(changes of the head, names of the data's classes) -> `LoadRun` tried on the run's detector with those changes."""
    from mmdet.registry import MODELS

    from common.mm import scope

    def tried(classes=None, **changes):
        config = types.model_of(runs["nas-fpn"])
        config["bbox_head"] |= changes
        with scope("mmdet"):
            model = MODELS.build(config)
        runner = SimpleNamespace(model=model, train_dataloader=SimpleNamespace(dataset=SimpleNamespace()))
        if classes is not None:
            runner.train_dataloader.dataset.metainfo = {"classes": classes}
        hook = types.LoadRun(str(runs["nas-fpn"]))
        hook.before_train(runner)
        return model, hook, runner

    return tried


def test_a_detector_of_five_classes_is_not_loaded_into_one_of_eighty(whole, runs):
    refused(
        r"nas-fpn: its network was trained for 5 classes \(.*\), the configuration's bbox_head has num_classes=80; set "
        "num_classes=5, or load backbone and neck alone, by init_cfg",
        whole,
        num_classes=80,
    )
    classes = json.loads((runs["nas-fpn"] / "config.json").read_text())["data"]["classes"]
    refused(f"its classes are {classes[0]}, .*, those of the configuration's data are {classes[-1]}, ", whole, classes[::-1])
    refused("give weights of this architecture", whole, stacked_convs=2)


def test_a_run_is_loaded_once_and_a_checkpoint_goes_first(whole, types, runs):
    model, hook, runner = whole()
    wanted = read_weights(weights(runs["nas-fpn"]))
    assert len(model.state_dict()) == len(wanted)
    assert torch.equal(model.state_dict()["neck.net.laterals.0.0.weight"], wanted["net.neck.laterals.0.0.weight"])
    assert torch.equal(model.state_dict()["bbox_head.retina_cls.weight"], wanted["net.bbox_head.retina_cls.weight"])
    for prepared in (hook, types.LoadRun("no such run")):
        model.bbox_head.retina_cls.weight.data.fill_(7)
        prepared.after_load_checkpoint(runner, {}) if prepared is not hook else None
        prepared.before_train(runner)
        assert bool((model.bbox_head.retina_cls.weight == 7).all())
    refused("no such run is no run folder", types.LoadRun("no such run").before_train, runner)


def test_a_run_whose_head_mmdetection_lacks_is_refused(types, runs):
    refused("no types for its whole detector; load its backbone or neck alone", types.model_of, runs["efficientdet"])
    refused("is no run folder", types.model_of, "no such run")


def test_earlier_imports_register_all(types):
    from mmdet.registry import MODELS

    del MODELS.module_dict["SearchedFPN"]
    import importlib

    import detection.detnas.mmdet_backbones

    importlib.reload(detection.detnas.mmdet_backbones)
    assert MODELS.get("SearchedFPN") is types.SearchedFPN
    with pytest.raises(ValueError, match="BiFPN is already registered"):
        mm.register("BiFPN", torch.nn.Identity)


def test_norms_have_the_momentum_of_the_detector_that_a_run_trains(types, tmp_path):
    save(tmp_path / "arch.json", family("tiny"), smallest(family("tiny")))
    made = types.SearchedEfficientNet(str(tmp_path / "arch.json")), types.BiFPN([24, 40], arch=str(tmp_path / "arch.json"))
    for part in made:
        assert {m.momentum for m in part.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {0.1}
    for part in (types.SearchedEfficientNet("D0"), types.BiFPN(TINY, "D0")):
        assert {m.momentum for m in part.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {0.01}

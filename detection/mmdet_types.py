"""The types of this package in configurations of mmdetection: `custom_imports=dict(imports=["detection.mmdet_types"])`.

| type | what | where |
|---|---|---|
| `DetNASNet`, `DetNASSupernet` | backbones | `detection.detnas.backbones` |
| `SearchedEfficientNet` | backbone | `detection.efficientdet.mmdet_parts` |
| `SearchedFPN` | neck | `detection.nas_fpn.mmdet_neck` |
| `BiFPN` | neck | `detection.efficientdet.mmdet_parts` |
| `LoadRun` | hook of the Runner: a training begins with the whole detector of a run | here |
"""

from pathlib import Path
from typing import Any

from detection import mm

mm.prepare()

from mmengine.hooks import Hook  # noqa: E402

from common.arch import load  # noqa: E402
from common.errors import UserError  # noqa: E402
from common.mm_weights import RunLoading  # noqa: E402
from common.space import decode  # noqa: E402
from common.stages.reload import reload  # noqa: E402
from detection.backbones.descriptions import KINDS, ShuffleNet  # noqa: E402
from detection.description import DetectorNet  # noqa: E402
from detection.heads import FasterRCNN, RetinaNet  # noqa: E402
from detection.mm.configs import faster_rcnn_config, retinanet_config  # noqa: E402
from detection.necks.merges import NASFPN  # noqa: E402
from detection.systems import SYSTEMS  # noqa: E402


class LoadRun(RunLoading, Hook):
    """Loads the best detector of a run: `custom_hooks=[dict(type="LoadRun", run="RUN")]`."""

    heads = ("bbox_head", "roi_head.bbox_head")


def register() -> None:
    """Makes the types available to configurations of mmdetection under their class names.

    Raises:
        ValueError: another class already has one of the names.
    """
    for kind in [kind.resolve() for system in SYSTEMS for kind in system.types]:
        mm.register(kind.__name__, kind)
    mm.register(LoadRun.__name__, LoadRun, "HOOKS")


def model_of(run: str | Path) -> dict[str, Any]:
    """The best detector of a run as the entry `model` of a configuration; `LoadRun` loads its weights.

    Args:
        run: folder of a run of `detnas` or `detnas-fpn`, or of one of `nas-fpn` whose backbone is `shufflenet-tiny`.

    Raises:
        UserError: no run folder, or a detector that has no types in mmdetection.
    """
    folder = Path(run).expanduser()
    reloaded = reload(folder)
    path = folder / "best" / "arch.json"
    arch = load(path, reloaded.space)
    net = decode(reloaded.space, arch)
    if not isinstance(net, DetectorNet) or not isinstance(net.backbone, ShuffleNet):
        raise UserError(f"{run}: mmdetection has no types for its whole detector; load its backbone or neck alone, by init_cfg")
    first = next(i for i in range(len(net.backbone.stages)) if 4 * 2**i >= net.head.strides[0])
    indices = list(range(first, len(net.backbone.stages)))
    channels, strides = [net.backbone.stages[i].width for i in indices], [4 * 2**i for i in indices]
    match net.head:
        case RetinaNet():
            config = retinanet_config(net.head, channels, strides, net.classes)
        case FasterRCNN():
            config = faster_rcnn_config(net.head, channels, strides, net.classes)
        case _:
            raise UserError(f"{run}: mmdetection has no type for its head; load its backbone or neck alone, by init_cfg")
    if isinstance(net.neck, NASFPN):
        neck = {"type": "SearchedFPN", "arch": str(path), "in_channels": channels, "out_channels": net.neck.width}
        config["neck"] = {**neck, "stacks": net.neck.stacks, "gate": net.neck.gate, "lite": net.neck.lite}
    searched = any(name.startswith("backbone.") for name in arch)
    backbone = {"type": "DetNASNet", "arch": str(path) if searched else _genes(net.backbone), "out_indices": indices}
    pixels = net.head.pixels
    preprocessor = {"type": "DetDataPreprocessor", "mean": list(pixels.mean), "std": list(pixels.std)}
    to_rgb = pixels.order == "rgb"  # mmdetection reads pictures as BGR
    return {**config, "backbone": backbone, "data_preprocessor": {**preprocessor, "bgr_to_rgb": to_rgb}}


def _genes(net: ShuffleNet) -> str:
    """The kinds of the blocks of a backbone that is not searched, in the notation of DetNAS."""
    return " ".join(str(KINDS.index(kind)) for stage in net.stages for kind in stage.blocks)


register()

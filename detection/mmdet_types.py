"""The types of this package in configurations of mmdetection: `custom_imports=dict(imports=["detection.mmdet_types"])`.

| type | what | where |
|---|---|---|
| `DetNASNet`, `DetNASSupernet` | backbones | `detection.detnas.backbones` |
| `SearchedEfficientNet` | backbone | `detection.efficientdet.mmdet_parts` |
| `SearchedFPN` | neck | `detection.nas_fpn.mmdet_neck` |
| `BiFPN` | neck | `detection.efficientdet.mmdet_parts` |
| `LoadRun` | hook of the Runner: a training begins with the whole detector of a run | here |
"""

from detection import mm

mm.prepare()

from mmengine.hooks import Hook  # noqa: E402

from common.mm_weights import RunLoading  # noqa: E402
from detection.detnas.backbones import DetNASNet, DetNASSupernet  # noqa: E402
from detection.efficientdet.mmdet_parts import BiFPN, SearchedEfficientNet  # noqa: E402
from detection.nas_fpn.mmdet_neck import SearchedFPN  # noqa: E402


class LoadRun(RunLoading, Hook):
    """Loads the best detector of a run: `custom_hooks=[dict(type="LoadRun", run="RUN")]`."""

    heads = ("bbox_head", "roi_head.bbox_head")


def register() -> None:
    """Makes the types available to configurations of mmdetection under their class names.

    Raises:
        ValueError: another class already has one of the names.
    """
    for kind in (DetNASNet, DetNASSupernet, SearchedEfficientNet, SearchedFPN, BiFPN):
        mm.register(kind.__name__, kind)
    mm.register(LoadRun.__name__, LoadRun, "HOOKS")


register()

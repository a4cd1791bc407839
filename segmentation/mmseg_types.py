"""The types of this package in configurations of mmsegmentation: `custom_imports=dict(imports=["segmentation.mmseg_types"])`.

| type | what | where |
|---|---|---|
| `DCNAS`, `DCNASSupernet` | backbones | `segmentation.dcnas.backbones` |
| `LoadRun` | hook of the Runner: a training begins with the whole segmentor of a run | here |
"""

from segmentation import mm

mm.prepare()

from mmengine.hooks import Hook  # noqa: E402

from common.mm_weights import RunLoading  # noqa: E402
from segmentation.systems import SYSTEMS  # noqa: E402


class LoadRun(RunLoading, Hook):
    """Loads the best segmentor of a run: `custom_hooks=[dict(type="LoadRun", run="RUN")]`."""

    heads = ("decode_head",)


def register() -> None:
    """Makes the types available to configurations of mmsegmentation under their class names.

    Raises:
        ValueError: another class already has one of the names.
    """
    for kind in [kind.resolve() for system in SYSTEMS for kind in system.types]:
        mm.register(kind.__name__, kind)
    mm.register(LoadRun.__name__, LoadRun, "HOOKS")


register()

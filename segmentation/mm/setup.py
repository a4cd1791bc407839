"""mmsegmentation, imported when it is first needed, and registration of our backbones with it."""

from common.mm import Package

PACKAGE = Package(name="mmseg", modules=("mmseg.models", "mmseg.evaluation"), extra="segmentation")
prepare, register = PACKAGE.prepare, PACKAGE.register

"""mmdetection, imported when it is first needed, and registration of our backbones with it."""

from common.mm import Package

PACKAGE = Package(name="mmdet", modules=("mmdet.models", "mmdet.datasets.transforms"), extra="detection")
prepare, register = PACKAGE.prepare, PACKAGE.register

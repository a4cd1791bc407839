"""mmdet detectors around a backbone that is already built: build, train, predict, outputs for cost and export."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import UserError
from common.mm import Wrapped, built
from common.supernet import Open, conv2d
from common.supernet.open import largest
from detection.detections import Detections
from detection.heads import EfficientHead, FasterRCNN, Head, RetinaNet, checked
from detection.mm import dense
from detection.mm.configs import efficient_config, faster_rcnn_config, retinanet_config
from detection.mm.setup import prepare


class Detector(Wrapped):
    """A backbone with everything a head adds. Called on images it gives the outputs of every last layer.

    Attributes:
        head: the description it was built from.
        side: long side that images are resized to; None: none.
    """

    def __init__(self, net: nn.Module, head: Head, classes: int, side: int | None = None) -> None:
        """Wraps `net`, an mmdet detector built from `head`."""
        super().__init__(net, classes, head.pixels.mean, head.pixels.std, head.pixels.order)
        self.head = head
        self.side = side

    def pyramid(self, images: UInt8[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        """Maps of backbone and neck, one for each stride of the head."""
        return self.net.extract_feat(self.seen(images))  # pyright: ignore[reportCallIssue]

    def pyramids(self, images: UInt8[Tensor, "n 3 h w"]) -> list[tuple[Tensor, ...]]:
        """What the head learns on: the pyramid, or that of every stack of an anytime neck."""
        neck = getattr(self.net, "neck", None)
        if not getattr(neck, "anytime", False):
            return [self.pyramid(images)]
        return neck.every(self.backbone(self.seen(images)))  # pyright: ignore[reportOptionalMemberAccess]

    def seen(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 i j"]:
        """Normalised pixels at the size that the backbone sees."""
        pixels = self.normalised(images)
        return pixels if self.side is None else F.interpolate(pixels, size=self.size(images), mode="bilinear")

    def factor(self, images: Tensor) -> float:
        """Pixels that the backbone sees for a pixel of the images, along a side."""
        return 1.0 if self.side is None else self.side / max(images.shape[-2:])

    def size(self, images: Tensor) -> tuple[int, int]:
        """Height and width that the backbone sees."""
        height, width = images.shape[-2:]
        factor = self.factor(images)
        return round(height * factor), round(width * factor)

    def forward(self, images: UInt8[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        """Outputs of every last layer, flat, for counting cost; works on the meta device.

        A dense head: class scores of each level, then box deltas of each level. Faster R-CNN: the same of the proposal head, then
        scores and deltas of the box head on `head.test_proposals` blank proposals an image: their number sets the cost, their
        content does not. No shape in it depends on the values of the pixels.
        """
        features = self.pyramid(images)
        if not isinstance(self.head, FasterRCNN):
            scores, deltas = self.net.get_submodule("bbox_head")(features)
            return (*scores, *deltas)
        scores, deltas = self.net.get_submodule("rpn_head")(features)
        patches = features[0].new_zeros(
            len(images) * self.head.test_proposals, self.head.neck_channels, self.head.roi_size, self.head.roi_size
        )
        return (*scores, *deltas, *self.net.get_submodule("roi_head.bbox_head")(patches))


def build(
    backbone: nn.Module,
    head: Head,
    *,
    in_channels: Sequence[Any],
    strides: Sequence[int],
    classes: int,
    neck: nn.Module | None = None,
    side: int | None = None,
    seed: int = 0,
) -> Detector:
    """Build a detector around `backbone`, which is used as it is.

    Args:
        backbone: takes (n, 3, h, w) and returns a tuple of maps.
        head: what to put on it.
        in_channels: channels of the backbone's maps, each fixed or open; mmdet's pyramid then takes any of its options.
        strides: strides of the backbone's maps, ascending.
        classes: number of classes, background not counted.
        neck: takes the backbone's maps and returns one of `head.neck_channels` for each of the head's strides; used as it is.
            None: mmdet's feature pyramid.
        side: images are resized to this long side; dense heads only. None: they are taken as they are.
        seed: of the initial weights of the head, and of mmdet's neck; those of modules that are given are left alone.

    Raises:
        UserError: the head does not fit the backbone's maps, or EfficientDet's head has no neck.
    """
    checked(head, strides)
    if side is not None and isinstance(head, FasterRCNN):
        raise UserError("Faster R-CNN takes images as they are: leave the detector's side out, and give data.size")
    prepare()
    widest = [largest(channels) for channels in in_channels]
    match head:
        case RetinaNet():
            config, parts = retinanet_config(head, widest, list(strides), classes), ["bbox_head"]
        case FasterRCNN():
            config, parts = faster_rcnn_config(head, widest, list(strides), classes), ["rpn_head", "roi_head"]
        case EfficientHead():
            if neck is None:
                raise UserError("EfficientDet's head has no pyramid of its own: give a neck")
            config, parts = efficient_config(head, classes), ["bbox_head"]
    if neck is not None:
        config = {**config, "neck": {"type": lambda: neck}}
    net = built("mmdet", config, backbone, parts if neck is not None else ["neck", *parts], seed)
    if neck is None:
        _open_inputs(net.get_submodule("neck"), in_channels)
    return Detector(net, head, classes, side)


def _open_inputs(pyramid: nn.Module, in_channels: Sequence[Any]) -> None:
    """Makes the first convolutions of mmdet's pyramid take every width of their map, with the weights that they have."""
    laterals: Any = pyramid.get_submodule("lateral_convs")
    for lateral, channels in zip(laterals, in_channels[-len(laterals) :], strict=True):
        if isinstance(channels, Open):
            fixed: nn.Conv2d = lateral.conv
            lateral.conv = conv2d(channels, fixed.out_channels, 1, bias=fixed.bias is not None)
            lateral.conv.load_state_dict(fixed.state_dict())


def losses(
    detector: Detector,
    images: UInt8[Tensor, "n 3 h w"],
    boxes: Sequence[Float[Tensor, "_ 4"]],
    labels: Sequence[Int[Tensor, "_"]],
    *,
    batched: bool = True,
    seed: int = 0,
) -> dict[str, Float[Tensor, ""]]:
    """Loss terms of a batch; their sum is what to minimise.

    Args:
        detector: as built.
        images: uint8 RGB.
        boxes: x1, y1, x2, y2 of each image's objects, in pixels; may be empty.
        labels: their classes from 0.
        batched: dense heads only: assign targets to all images at once. The values and gradients are mmdet's own, sooner.
        seed: Faster R-CNN only: which anchors and proposals are sampled.
    """
    factor = detector.factor(images)
    boxes = boxes if factor == 1 else [factor * b for b in boxes]
    if not isinstance(detector.head, FasterRCNN) and batched:
        head = detector.net.get_submodule("bbox_head")
        extra = 1 if isinstance(detector.head, EfficientHead) else 0
        found = [dense.losses(head, pyramid, boxes, labels, extra) for pyramid in detector.pyramids(images)]
        return {name: torch.stack([terms[name] for terms in found]).mean() for name in found[0]} if found[1:] else found[0]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # mmdet's sampler draws on the CPU, on every device
        terms = detector.net.loss(detector.seen(images), _samples(detector.size(images), boxes, labels))  # pyright: ignore[reportCallIssue]
    return {
        name: torch.stack(list(value)).sum() if isinstance(value, list | tuple) else value
        for name, value in terms.items()
        if "loss" in name  # mmdet adds an accuracy to look at
    }


@torch.no_grad()
def predict(detector: Detector, images: UInt8[Tensor, "n 3 h w"], stacks: int | None = None) -> list[Detections]:
    """Detections in each image by the head's `postprocess`. The caller chooses train or eval mode.

    Args:
        detector: as built.
        images: uint8 RGB.
        stacks: of an anytime neck, after how many to stop, 1 or more; None: the last.

    Raises:
        UserError: the neck is none, or has fewer stacks.
    """
    if stacks is not None:
        detector = _stopped(detector, stacks)
    if not isinstance(detector.head, FasterRCNN):
        factor, size = detector.factor(images), detector.size(images)
        found = dense.predict(detector.net.get_submodule("bbox_head"), detector.pyramid(images), size)
        return found if factor == 1 else [replace(one, boxes=one.boxes / factor) for one in found]
    none = [images.new_zeros(0, 4, dtype=torch.float32)] * len(images)
    samples = _samples(detector.size(images), none, [images.new_zeros(0, dtype=torch.long)] * len(images))
    found = detector.net.predict(detector.normalised(images), samples, rescale=False)  # pyright: ignore[reportCallIssue]
    instances = [sample.pred_instances for sample in found]
    return [Detections(boxes=i.bboxes, scores=i.scores, labels=i.labels) for i in instances]


def _stopped(detector: Detector, stacks: int) -> Detector:
    """The detector without the stacks after the first ones; weights are shared."""
    neck = getattr(detector.net, "neck", None)
    if not getattr(neck, "anytime", False) or not 1 <= stacks <= len(neck.stacks):  # pyright: ignore[reportOptionalMemberAccess]
        raise UserError(f"stacks={stacks}: give a network of pyramid.anytime=true, and 1 to as many stacks as it has")
    short, net, part = copy.copy(detector), copy.copy(detector.net), copy.copy(neck)
    part._modules = {**part._modules, "stacks": neck.stacks[:stacks]}  # pyright: ignore[reportOptionalMemberAccess]
    net._modules = {**net._modules, "neck": part}
    short._modules = {**short._modules, "net": net}
    return short


def decoded(detector: Detector, images: UInt8[Tensor, "n 3 h w"]) -> tuple[Float[Tensor, "n a 4"], Float[Tensor, "n a classes"]]:
    """Boxes (xyxy, pixels) and class scores of every anchor of a dense head, before selection by score and overlap."""
    head = detector.net.get_submodule("bbox_head")
    boxes, scores = dense.decoded(head, detector.pyramid(images), detector.size(images))
    return boxes / detector.factor(images), scores


def _samples(shape: tuple[int, int], boxes: Sequence[Tensor], labels: Sequence[Tensor]) -> list:
    """mmdet's description of a batch whose images are all of one (height, width)."""
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    meta = {"img_shape": shape, "pad_shape": shape, "ori_shape": shape, "batch_input_shape": shape}
    samples = []
    for b, c in zip(boxes, labels, strict=True):
        sample = DetDataSample(metainfo={**meta, "scale_factor": (1.0, 1.0)})
        sample.gt_instances = InstanceData(bboxes=b, labels=c)
        samples.append(sample)
    return samples

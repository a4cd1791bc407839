"""mmseg segmentors around a backbone that is already built: build, train, predict, outputs for cost and export."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from common.errors import UserError
from common.mm import Wrapped, built
from segmentation.data.labels import IGNORE
from segmentation.heads import DecodeHead
from segmentation.mm.setup import prepare


class Segmentor(Wrapped):
    """A backbone with everything a head adds. Called on images it gives class scores at the stride of the finest map.

    Attributes:
        head: the description it was built from.
    """

    def __init__(self, net: nn.Module, head: DecodeHead, classes: int) -> None:
        """Wraps `net`, an mmseg segmentor built from `head`."""
        super().__init__(net, classes, head.mean, head.std)
        self.head = head

    def forward(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n classes i j"]:
        """Class scores, not yet enlarged to the image; works on the meta device."""
        return self.net.get_submodule("decode_head")(self.backbone(self.normalised(images)))


def build(backbone: nn.Module, head: DecodeHead, *, in_channels: Sequence[int], classes: int, seed: int = 0) -> Segmentor:
    """Builds a segmentor around `backbone`, which is used as it is.

    The loss is cross-entropy over the labelled pixels of a batch: those labelled 255 count in no mean.

    Args:
        backbone: takes (n, 3, h, w) and returns a tuple of maps, finest first.
        head: what to put on it.
        in_channels: channels of the backbone's maps.
        classes: how many classes.
        seed: of the head's initial weights; the backbone's are left alone.

    Raises:
        UserError: fewer than two classes.
    """
    if classes < 2:
        raise UserError(f"{classes} classes: segmentation tells two apart at least")
    prepare()
    config = {"type": "EncoderDecoder", "decode_head": head_config(head, in_channels, classes)}
    net = built("mmseg", {**config, "train_cfg": {}, "test_cfg": {"mode": "whole"}}, backbone, ("decode_head",), seed)
    return Segmentor(net, head, classes)


def head_config(head: DecodeHead, in_channels: Sequence[int], classes: int) -> dict[str, object]:
    """The head as mmseg configurations write it."""
    return {
        "type": "SegformerHead",
        "in_channels": list(in_channels),
        "in_index": list(range(len(in_channels))),
        "channels": head.channels,
        "dropout_ratio": head.dropout,
        "num_classes": classes,
        "out_channels": classes,  # two classes too have a score each
        "norm_cfg": {"type": "BN", "requires_grad": True},
        "align_corners": False,
        "ignore_index": IGNORE,
        "loss_decode": {"type": "CrossEntropyLoss", "use_sigmoid": False, "avg_non_ignore": True, "loss_weight": 1.0},
    }


def losses(segmentor: Segmentor, images: UInt8[Tensor, "n 3 h w"], labels: Int[Tensor, "n h w"]) -> dict[str, Float[Tensor, ""]]:
    """Loss terms of a batch; their sum is what to minimise. Dropout draws from torch's global generator.

    Args:
        segmentor: as built.
        images: uint8 RGB.
        labels: class of each pixel, or 255.
    """
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    shape = tuple(images.shape[-2:])
    samples = []
    for label in labels:
        sample = SegDataSample(metainfo={"img_shape": shape, "pad_shape": shape, "ori_shape": shape})
        sample.gt_sem_seg = PixelData(data=label[None])
        samples.append(sample)
    terms = segmentor.net.loss(segmentor.normalised(images), samples)  # pyright: ignore[reportCallIssue]
    # mmseg adds an accuracy to look at
    return {name.removeprefix("decode."): value for name, value in terms.items() if "loss" in name}


@torch.no_grad()
def predict(segmentor: Segmentor, images: UInt8[Tensor, "n 3 h w"]) -> Int[Tensor, "n h w"]:
    """The class of each pixel: scores enlarged to the images, then the best. The caller chooses train or eval mode."""
    metas = [{"img_shape": tuple(images.shape[-2:])}] * len(images)
    scores = segmentor.net.encode_decode(segmentor.normalised(images), metas)  # pyright: ignore[reportCallIssue]
    return scores.argmax(1)

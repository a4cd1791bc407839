"""Heads written as mmdet configurations (without the backbone)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detection.heads import EfficientHead, FasterRCNN, Postprocess, RetinaNet

_NORM = {"type": "BN", "requires_grad": True}


def _coder(stds: tuple[float, float, float, float]) -> dict[str, Any]:
    return {"type": "DeltaXYWHBBoxCoder", "target_means": (0.0, 0.0, 0.0, 0.0), "target_stds": stds}


def _neck(head: RetinaNet | FasterRCNN, in_channels: list[int], strides: list[int], extra: str | bool) -> dict[str, Any]:
    return {
        "type": "FPN",
        "in_channels": in_channels,
        "out_channels": head.neck_channels,
        "num_outs": len(head.strides),
        "start_level": strides.index(head.strides[0]),
        "add_extra_convs": extra,
        "norm_cfg": _NORM if head.neck_norm else None,
    }


def _test(post: Postprocess) -> dict[str, Any]:
    nms: dict[str, Any] = {"type": "nms", "iou_threshold": post.nms_iou}
    if post.soft_sigma is not None:
        nms = {
            "type": "soft_nms",
            "iou_threshold": post.nms_iou,
            "sigma": post.soft_sigma,
            "method": "gaussian",
            "min_score": 1e-3,
        }
    return {"score_thr": post.score_threshold, "nms": nms, "max_per_img": post.per_image}


def retinanet_config(head: RetinaNet, in_channels: list[int], strides: list[int], classes: int) -> dict[str, Any]:
    """Configuration of a RetinaNet; arguments as in `detection.mm.detector.build`."""
    from mmengine.config import ConfigDict

    extends = head.strides[-1] > strides[-1]
    dense = {
        "in_channels": head.neck_channels,
        "feat_channels": head.neck_channels,
        "stacked_convs": head.stacked_convs,
        "num_classes": classes,
        "anchor_generator": {
            "type": "AnchorGenerator",
            "octave_base_scale": 1,
            "scales_per_octave": head.scales_per_octave,
            "ratios": list(head.ratios),
            "strides": list(head.strides),
            "base_sizes": list(head.anchor_sizes),
        },
        "bbox_coder": _coder((1.0, 1.0, 1.0, 1.0)),
        "loss_cls": {"type": "FocalLoss", "use_sigmoid": True, "gamma": 2.0, "alpha": 0.25, "loss_weight": 1.0},
        "loss_bbox": {"type": "SmoothL1Loss", "beta": head.box_beta, "loss_weight": 1.0},
    }
    if head.head_norm == "separate":
        dense |= {"type": "RetinaSepBNHead", "num_ins": len(head.strides), "norm_cfg": _NORM}
    else:
        dense |= {"type": "RetinaHead"}
    assigner = {
        "type": "MaxIoUAssigner",
        "pos_iou_thr": head.positive_iou,
        "neg_iou_thr": head.negative_iou,
        "min_pos_iou": 0.0,
        "ignore_iof_thr": -1,
    }
    test = {"nms_pre": head.postprocess.before_nms, "min_bbox_size": 0, **_test(head.postprocess)}
    return {
        "type": "RetinaNet",
        "neck": _neck(head, in_channels, strides, "on_output" if extends else False),
        "bbox_head": dense,
        "train_cfg": ConfigDict(assigner=assigner, allowed_border=-1, pos_weight=-1, debug=False),
        "test_cfg": ConfigDict(test),
    }


def efficient_config(head: EfficientHead, classes: int) -> dict[str, Any]:
    """Configuration of EfficientDet's head on a neck that gives its levels; arguments as in `detection.mm.detector.build`."""
    from mmengine.config import ConfigDict

    from detection.mm.efficient_head import Anchors, EfficientDetHead

    assigner = {
        "type": "MaxIoUAssigner",
        "pos_iou_thr": head.positive_iou,
        "neg_iou_thr": head.positive_iou,
        "min_pos_iou": 0.0,
        "ignore_iof_thr": -1,
    }
    # A Huber loss is delta times the smooth L1 loss; the mean over a box's four numbers is a quarter of their sum.
    weight = head.box_weight * head.box_delta / 4
    return {
        "type": "RetinaNet",
        "bbox_head": {
            "type": EfficientDetHead,
            "depth": head.depth,
            "num_classes": classes,
            "in_channels": head.neck_channels,
            "feat_channels": head.neck_channels,
            "anchor_generator": {
                "type": Anchors,
                "strides": head.strides,
                "scale": head.anchor_scale,
                "scales_per_octave": head.scales_per_octave,
                "sides": head.sides,
            },
            "bbox_coder": _coder((1.0, 1.0, 1.0, 1.0)),
            "loss_cls": {"type": "FocalLoss", "use_sigmoid": True, "gamma": head.gamma, "alpha": head.alpha, "loss_weight": 1.0},
            "loss_bbox": {"type": "SmoothL1Loss", "beta": head.box_delta, "loss_weight": weight},
        },
        "train_cfg": ConfigDict(assigner=assigner, allowed_border=-1, pos_weight=-1, debug=False),
        "test_cfg": ConfigDict({"nms_pre": head.postprocess.before_nms, "min_bbox_size": 0, **_test(head.postprocess)}),
    }


def faster_rcnn_config(head: FasterRCNN, in_channels: list[int], strides: list[int], classes: int) -> dict[str, Any]:
    """Configuration of a Faster R-CNN; arguments as in `detection.mm.detector.build`.

    Losses and thresholds are those of maskrcnn-benchmark, on which DetNAS was trained.
    """
    from mmengine.config import ConfigDict

    proposals = {
        "type": "RPNHead",
        "in_channels": head.neck_channels,
        "feat_channels": head.neck_channels,
        "anchor_generator": {
            "type": "AnchorGenerator",
            "scales": [1],
            "ratios": list(head.ratios),
            "strides": list(head.strides),
            "base_sizes": list(head.anchor_sizes),
        },
        "bbox_coder": _coder((1.0, 1.0, 1.0, 1.0)),
        "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0},
        "loss_bbox": {"type": "SmoothL1Loss", "beta": 1 / 9, "loss_weight": 1.0},
    }
    pooled = [stride for stride in head.strides if stride in strides]
    boxes = {
        "type": "StandardRoIHead",
        "bbox_roi_extractor": {
            "type": "SingleRoIExtractor",
            "roi_layer": {
                "type": "RoIAlign",
                "output_size": head.roi_size,
                "sampling_ratio": 2,
                "use_torchvision": True,
            },
            "out_channels": head.neck_channels,
            "featmap_strides": pooled,
        },
        "bbox_head": {
            "type": "ConvFCBBoxHead",
            "num_shared_convs": head.box_convs,
            "num_shared_fcs": 1,
            "in_channels": head.neck_channels,
            "conv_out_channels": head.neck_channels,
            "fc_out_channels": head.box_features,
            "roi_feat_size": head.roi_size,
            "num_classes": classes,
            "norm_cfg": _NORM,
            "reg_class_agnostic": False,
            "bbox_coder": _coder((0.1, 0.1, 0.2, 0.2)),
            "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": False, "loss_weight": 1.0},
            "loss_bbox": {"type": "SmoothL1Loss", "beta": 1.0, "loss_weight": 1.0},
        },
    }
    nms = {"type": "nms", "iou_threshold": 0.7}
    keep = {"nms_pre": 2000, "max_per_img": head.train_proposals, "nms": nms, "min_bbox_size": 0}
    keep_test = {"nms_pre": 1000, "max_per_img": head.test_proposals, "nms": nms, "min_bbox_size": 0}
    return {
        "type": "FasterRCNN",
        "neck": _neck(head, in_channels, strides, False),
        "rpn_head": proposals,
        "roi_head": boxes,
        "train_cfg": ConfigDict(
            rpn={
                "assigner": _assigner(0.7, 0.3, 0.3, low_quality=True),
                "sampler": _sampler(head.anchor_samples, 0.5, add_objects=False),
                "allowed_border": -1,
                "pos_weight": -1,
                "debug": False,
            },
            rpn_proposal=keep,
            rcnn={
                "assigner": _assigner(0.5, 0.5, 0.5, low_quality=False),
                "sampler": _sampler(head.box_samples, 0.25, add_objects=True),
                "pos_weight": -1,
                "debug": False,
            },
        ),
        "test_cfg": ConfigDict(rpn=keep_test, rcnn=_test(head.postprocess)),
    }


def _assigner(positive: float, negative: float, least: float, low_quality: bool) -> dict[str, Any]:
    return {
        "type": "MaxIoUAssigner",
        "pos_iou_thr": positive,
        "neg_iou_thr": negative,
        "min_pos_iou": least,
        "match_low_quality": low_quality,
        "ignore_iof_thr": -1,
    }


def _sampler(count: int, positive: float, add_objects: bool) -> dict[str, Any]:
    return {
        "type": "RandomSampler",
        "num": count,
        "pos_fraction": positive,
        "neg_pos_ub": -1,
        "add_gt_as_proposals": add_objects,
    }

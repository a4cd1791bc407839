"""A RetinaNet for digits on pictures of 64 x 64, as a configuration of mmdetection; `own_detector.py` searches its backbone."""

channels = 32
model = dict(
    type="RetinaNet",
    data_preprocessor=dict(type="DetDataPreprocessor", mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(type="OwnBackbone", stem=8, hidden=(16, 16), kernels=((3,), (3,))),
    neck=dict(type="FPN", in_channels=[48, 48], out_channels=channels, num_outs=2, norm_cfg=dict(type="BN")),
    bbox_head=dict(
        type="RetinaSepBNHead",
        num_classes=2,
        num_ins=2,
        in_channels=channels,
        feat_channels=channels,
        stacked_convs=1,
        norm_cfg=dict(type="BN"),
        anchor_generator=dict(
            type="AnchorGenerator", octave_base_scale=1, scales_per_octave=1, ratios=[1.0], strides=[8, 16], base_sizes=[24, 32]
        ),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[1.0] * 4),
        loss_cls=dict(type="FocalLoss", use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type="SmoothL1Loss", beta=0.1, loss_weight=1.0),
    ),
    train_cfg=dict(
        assigner=dict(type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0, ignore_iof_thr=-1),
        allowed_border=-1,
        pos_weight=-1,
    ),
    test_cfg=dict(nms_pre=100, min_bbox_size=0, score_thr=0.05, nms=dict(type="nms", iou_threshold=0.5), max_per_img=10),
)

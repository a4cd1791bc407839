"""A network for pictures of digits, as a configuration of mmsegmentation; `own_segmentor.py` searches its backbone."""

classes = 3
model = dict(
    type="EncoderDecoder",
    data_preprocessor=dict(
        type="SegDataPreProcessor", size=(64, 64), mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
    ),
    backbone=dict(type="OwnBackbone", hidden=32, dilations=((1,), (1,), (1,), (1,))),
    decode_head=dict(
        type="SegformerHead",
        in_channels=[32, 32],
        in_index=[0, 1],
        channels=32,
        dropout_ratio=0.0,
        num_classes=classes,
        norm_cfg=dict(type="BN"),
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, avg_non_ignore=True, class_weight=[0.2, 1.0, 1.0]),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)

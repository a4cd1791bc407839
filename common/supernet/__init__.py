"""Supernets: a build function applied to an opened description, and what one does with the result."""

from common.supernet.choice import Choice, Mixed, Open, Subset, choose, choose_inputs, choose_many, fmap, opened, repeat
from common.supernet.elastic import batch_norm, conv2d, depthwise, instance_norm, linear, scale, shift
from common.supernet.net import Supernet
from common.supernet.paths import cost_bins, extreme, fair, sandwich, uniform
from common.supernet.recalibrate import kept_statistics, recalibrate

__all__ = [
    "Choice",
    "Mixed",
    "Open",
    "Subset",
    "Supernet",
    "batch_norm",
    "choose",
    "choose_inputs",
    "choose_many",
    "conv2d",
    "cost_bins",
    "depthwise",
    "extreme",
    "fair",
    "fmap",
    "instance_norm",
    "kept_statistics",
    "linear",
    "opened",
    "recalibrate",
    "repeat",
    "sandwich",
    "scale",
    "shift",
    "uniform",
]

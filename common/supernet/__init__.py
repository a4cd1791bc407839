"""Supernets: a build function applied to an opened description, and what one does with the result."""

from common.supernet.checking import Checked, check
from common.supernet.choice import Choice, Subset, choose, choose_inputs, choose_many, repeat
from common.supernet.elastic import batch_norm, conv2d, conv_transpose2d, depthwise, instance_norm, linear, scale, shift
from common.supernet.net import Supernet
from common.supernet.open import Mixed, Open, fmap, opened
from common.supernet.paths import cost_bins, extreme, fair, sandwich, uniform
from common.supernet.recalibrate import kept_statistics, recalibrate

__all__ = [
    "Checked",
    "Choice",
    "Mixed",
    "Open",
    "Subset",
    "Supernet",
    "batch_norm",
    "check",
    "choose",
    "choose_inputs",
    "choose_many",
    "conv2d",
    "conv_transpose2d",
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

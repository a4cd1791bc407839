"""Supernets: a build function applied to an opened description, and what one does with the result."""

from common.supernet.checking import Checked, check
from common.supernet.choice import Choice, Subset, choose, choose_inputs, choose_many, repeat
from common.supernet.convolution import conv1d, conv2d, conv3d, depthwise
from common.supernet.features import embedding, linear, scale, shift
from common.supernet.learnable import parameter
from common.supernet.multihead import attention
from common.supernet.net import Supernet
from common.supernet.normalisation import batch_norm, group_norm, instance_norm, layer_norm
from common.supernet.open import Mixed, Open, fmap, opened
from common.supernet.paths import cost_bins, extreme, fair, sandwich, uniform
from common.supernet.recalibrate import kept_statistics, recalibrate
from common.supernet.transposed import conv_transpose2d
from common.supernet.weightless import weightless

__all__ = [
    "Checked",
    "Choice",
    "Mixed",
    "Open",
    "Subset",
    "Supernet",
    "attention",
    "batch_norm",
    "check",
    "choose",
    "choose_inputs",
    "choose_many",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose2d",
    "cost_bins",
    "depthwise",
    "embedding",
    "extreme",
    "fair",
    "fmap",
    "group_norm",
    "instance_norm",
    "kept_statistics",
    "layer_norm",
    "linear",
    "opened",
    "parameter",
    "recalibrate",
    "repeat",
    "sandwich",
    "scale",
    "shift",
    "uniform",
    "weightless",
]

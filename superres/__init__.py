"""Single-image super-resolution: data, metrics and upscaling for the networks of any system, and the systems on them."""

from tasknas import hidden

hidden.refuse("common")

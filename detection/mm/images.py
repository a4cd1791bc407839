"""Reading, resizing and flipping images with their boxes, by mmdet's transforms."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from common.data.pictures import of_user
from common.data.reader import read_rgb
from detection.mm.setup import prepare


def read_resize_pad(
    file: str | Path, boxes: Float[np.ndarray, "n 4"], size: int | tuple[int, int]
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "n 4"], tuple[float, float]]:
    """Read an image, fit it into a canvas at its top left with its proportions kept, and pad with black.

    Args:
        file: see `common.data.reader.as_rgb`.
        boxes: x1, y1, x2, y2 in pixels of the file's image.
        size: (height, width) of the canvas, or the side of a square.

    Returns:
        RGB image, boxes in its pixels (clipped to the resized image), and the factors (x, y) that both were scaled by.

    Raises:
        UserError: the file is missing, truncated or not an image.
    """
    return resize_pad(np.asarray(of_user(Path(file), lambda: read_rgb(Path(file)))), boxes, size)


def resize_pad(
    pixels: UInt8[np.ndarray, "tall wide 3"], boxes: Float[np.ndarray, "n 4"], size: int | tuple[int, int]
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "n 4"], tuple[float, float]]:
    """An RGB image and its boxes on a canvas; see `read_resize_pad`."""
    prepare()
    from mmdet.datasets.transforms import Pad, Resize

    height, width = (size, size) if isinstance(size, int) else size
    results: dict = {"img": pixels, "img_shape": pixels.shape[:2], "ori_shape": pixels.shape[:2]}
    results["gt_bboxes"] = np.asarray(boxes, dtype=np.float32).reshape(-1, 4).copy()
    tall, wide = pixels.shape[:2]
    results = Resize(scale_factor=min(height / tall, width / wide), keep_ratio=True).transform(results)
    factor_x, factor_y = results["scale_factor"]
    results = Pad(size=(width, height)).transform(results)
    return np.ascontiguousarray(results["img"]), results["gt_bboxes"], (float(factor_x), float(factor_y))


def random_flip(
    image: UInt8[Tensor, "c h w"], boxes: Float[Tensor, "n 4"], rng: random.Random
) -> tuple[UInt8[Tensor, "c h w"], Float[Tensor, "n 4"]]:
    """Mirror image and boxes left to right with probability 0.5, as mmdet's RandomFlip does.

    Its own class draws from numpy's global generator; here one number is drawn from `rng`.
    """
    if rng.random() >= 0.5:
        return image, boxes
    width = image.shape[-1]
    flipped = boxes.clone()
    flipped[:, 0::4], flipped[:, 2::4] = width - boxes[:, 2::4], width - boxes[:, 0::4]
    return image.flip(-1), flipped

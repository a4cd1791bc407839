"""Scenes with exact ground truth: handwritten digits painted on crops of real photographs.

One scene carries what every dense task needs: tight boxes, labels, and per-pixel instance and class maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from common.data.digits import SplitName, digits
from common.data.photographs import photographs
from common.errors import UserError
from common.streams import numpy_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from common.data.digits import Digits

NOTE = (
    "scenes are made: real handwritten digits (scikit-learn) on crops of 13 real photographs (scikit-image); digits of "
    "train, val and test are disjoint, photographs are shared"
)
"""What a reader of figures on scenes must know."""
STRIDE = 32
"""Largest stride of the networks, in pixels; sides of scenes are multiples of it."""

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_CONTRAST = 85.0  # grey levels between a digit and the mean of what it covers: readable to a person
_DIMMED = 0.6  # of a photograph's brightness is left under light ink: every place then allows the contrast
_TRIES = 40  # positions tried for a digit before the scene does without it


def digits_within(size: int) -> tuple[int, int]:
    """Lowest and highest number of digits that a scene of `size` by `size` pixels is given where nobody says another number."""
    return (1, 2) if size <= 64 else (1, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneRules:
    """What a scene looks like.

    Attributes:
        size: side of the square scene in pixels.
        classes: digits 0 to classes - 1 appear.
        digits_per_scene: lowest and highest number of digits asked for; a digit that finds no free place is left out.
        digit_px: lowest and highest side in pixels of the square a digit is drawn in (its box is a little smaller).
        ink: "light" digits on dimmed photographs, or "any" colour that stands out, lighter or darker: much harder to learn,
            since the two polarities share no filters.
    """

    size: int = 64
    classes: int = 5
    digits_per_scene: tuple[int, int] = (1, 2)
    digit_px: tuple[int, int] = (20, 32)
    ink: Literal["light", "any"] = "light"

    def __post_init__(self) -> None:
        """Refuse rules no scene can follow."""
        if not 1 <= self.classes <= 10:
            raise UserError(f"classes={self.classes}: the embedded data has the ten digits; choose 1 to 10")
        if not 1 <= self.digits_per_scene[0] <= self.digits_per_scene[1]:
            raise UserError(f"digits_per_scene={self.digits_per_scene}: must be (low, high) with 1 <= low <= high")
        if not 8 <= self.digit_px[0] <= self.digit_px[1] <= self.size <= 300:
            raise UserError(
                f"digit_px={self.digit_px}, size={self.size}: needs 8 <= low <= high <= size <= 300 "
                "(the smallest photograph has 300 pixels)"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A picture and all that is known about it.

    Attributes:
        image: RGB, uint8, shape (size, size, 3).
        boxes: xyxy in pixels, x2 and y2 exclusive, tight around each instance's pixels, float32, shape (n, 4), n >= 1.
        labels: digit classes, int64, shape (n,).
        instances: 0 is background, k the k-th box's digit, uint8, shape (size, size).
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    instances: NDArray[np.uint8]

    def class_map(self) -> NDArray[np.uint8]:
        """Per-pixel classes: 0 is background, label + 1 elsewhere; uint8, shape (size, size)."""
        return np.concatenate([[0], self.labels + 1]).astype(np.uint8)[self.instances]


def scenes(split: SplitName, count: int, seed: int, rules: SceneRules) -> list[Scene]:
    """The first scenes of a split; scene i is a function of (seed, split, i, rules), the same one for every task.

    Args:
        split: whose digits are painted.
        count: number of scenes, at least 1.
        seed: of the scenes; which digits belong to which split never changes.
        rules: what a scene looks like; its size must be a multiple of `STRIDE`.

    Raises:
        UserError: no scene is asked for, or the size is no multiple.
    """
    if rules.size % STRIDE:
        raise UserError(f"size={rules.size}: scenes must be a multiple of {STRIDE} pixels, the networks' largest stride")
    if count < 1:
        raise UserError(f"{split}={count}: the embedded data needs at least one scene in every split")
    table, photos = digits(split), photographs()
    return [compose(numpy_stream(seed, "embedded", split, i), table, photos, rules) for i in range(count)]


def compose(rng: np.random.Generator, digits: Digits, photographs: Sequence[Image.Image], rules: SceneRules) -> Scene:
    """Paint one scene; a pure function of the generator's state and the arguments. Boxes never overlap."""
    canvas = _background(rng, photographs, rules.size) * (_DIMMED if rules.ink == "light" else 1.0)
    instances = np.zeros((rules.size, rules.size), dtype=np.uint8)
    boxes: list[tuple[int, int, int, int]] = []
    labels: list[int] = []
    for _ in range(int(rng.integers(rules.digits_per_scene[0], rules.digits_per_scene[1] + 1))):
        label = int(rng.integers(rules.classes))
        alpha = _ink(rng, digits.images[rng.choice(np.flatnonzero(digits.labels == label))], rules.digit_px)
        height, width = alpha.shape
        for _ in range(_TRIES):
            y, x = (int(rng.integers(rules.size - side + 1)) for side in (height, width))
            box = (x, y, x + width, y + height)
            # Two pixels apart, so that neighbours do not read as one blob.
            if all(box[0] > b[2] + 1 or b[0] > box[2] + 1 or box[1] > b[3] + 1 or b[1] > box[3] + 1 for b in boxes):
                _paint(rng, canvas[y : y + height, x : x + width], alpha, rules.ink)
                boxes.append(box)
                labels.append(label)
                instances[y : y + height, x : x + width][alpha >= 0.5] = len(boxes)
                break
    return Scene(
        image=np.rint(canvas).astype(np.uint8),
        boxes=np.array(boxes, dtype=np.float32),
        labels=np.array(labels, dtype=np.int64),
        instances=instances,
    )


def _background(rng: np.random.Generator, photographs: Sequence[Image.Image], size: int) -> NDArray[np.float32]:
    """A random square of a random photograph, up to three times the scene's side, scaled to the scene."""
    photo = photographs[int(rng.integers(len(photographs)))]
    side = int(rng.integers(size, min(3 * size, *photo.size) + 1))
    x, y = (int(rng.integers(length - side + 1)) for length in photo.size)
    crop = photo.resize((size, size), Image.Resampling.BILINEAR, box=(x, y, x + side, y + side), reducing_gap=2.0)
    pixels = np.asarray(crop, dtype=np.float32)
    return (pixels[:, ::-1] if rng.random() < 0.5 else pixels).copy()


def _ink(rng: np.random.Generator, digit: NDArray[np.float32], digit_px: tuple[int, int]) -> NDArray[np.float32]:
    """The digit's opacity from 0 to 1, enlarged smoothly and cut to the pixels at least half opaque."""
    side = int(rng.integers(digit_px[0], digit_px[1] + 1)) * 10 // 8
    # A blank ring lets the strokes that touch the 8x8 border end softly.
    padded = Image.fromarray(np.pad(digit, 1))
    ink = np.asarray(padded.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float32)
    alpha = np.clip((ink - 0.3) / 0.4, 0.0, 1.0).astype(np.float32)
    solid = alpha >= 0.5
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    return alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _paint(rng: np.random.Generator, patch: NDArray[np.float32], alpha: NDArray[np.float32], ink: str) -> None:
    """Blend a random colour into `patch`, lighter than the covered pixels (or darker, if any ink will do) by the contrast."""
    weight = alpha[..., None]
    behind = float((patch * weight).sum(axis=(0, 1)) @ _LUMA / alpha.sum())
    lighter = behind + _CONTRAST <= 255 and (ink == "light" or behind < _CONTRAST or rng.random() < 0.5)
    luma = rng.uniform(behind + _CONTRAST, 255) if lighter else rng.uniform(0, behind - _CONTRAST)
    colour = rng.uniform(0, 255, 3).astype(np.float32)
    current = float(colour @ _LUMA)
    # Move the colour along the line to black or white until it has the wanted luma: it never leaves 0..255.
    if luma < current:
        colour *= luma / current
    else:
        colour = 255 - (255 - colour) * ((255 - luma) / (255 - current))
    patch += weight * (colour - patch)

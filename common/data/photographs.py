"""Real photographs that come inside scikit-image's wheel: nothing is ever downloaded."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from common.errors import UserError

# Only files of the wheel: scikit-image fetches its other pictures from the network at first use.
FILES = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)


@cache
def photographs() -> tuple[Image.Image, ...]:
    """The photographs as RGB images of 300 to 1,411 pixels a side, in a fixed order; treat them as read-only.

    Raises:
        UserError: scikit-image is not installed, or its wheel lacks one of the files.
    """
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise UserError("scikit-image is not installed; the embedded data needs its photographs: pip install scikit-image")
    folder = Path(spec.origin).parent / "data"
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{folder}: {', '.join(missing)} missing; the embedded data needs the photographs of scikit-image 0.25 or "
            "later: pip install --force-reinstall 'scikit-image>=0.25'"
        )
    images = []
    for name in FILES:
        with Image.open(folder / name) as image:
            images.append(image.convert("RGB"))
    return tuple(images)

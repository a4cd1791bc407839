"""Search, train, describe and use generators of pictures: `python -m gan.train gan-compression --recipe smoke`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from common.errors import UserError
from common.options import RunOptions, settings_of
from common.script import describe_system, main
from gan.compression.settings import RECIPES, Settings, fast
from gan.systems import SYSTEMS


def resolve(options: RunOptions, pipeline: Literal["full", "fast"] | None = None, features: str | None = None) -> Settings:
    """The settings of a GAN Compression run.

    Raises:
        UserError: an unknown recipe, or an option that does not fit it.
    """

    def change(settings: Settings) -> Settings:
        if pipeline == "fast":
            settings = fast(settings)
        elif pipeline == "full" and not settings.teacher.mobile:
            raise UserError(f"recipe {settings.recipe} is of the fast pipeline; for the full one take smoke or paper")
        return settings if features is None else replace(settings, features=features)

    return settings_of(RECIPES, options, change)


def gan_compression(
    run: RunOptions,
    pipeline: Literal["full", "fast"] | None = None,
    features: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None,
) -> None:
    """GAN Compression: search narrow generators under a large one's guidance (arXiv 2003.08936), from pictures to a report.

    Recipe small is for a GPU, at 128 pixels; small64, at 64 pixels, for two cores.

    Args:
        run: what to run, where and how.
        pipeline: full (mobile teacher, distilled start) or fast (dense teacher, none), instead of the recipe's.
        features: torchvision's Inception v3 weights, by which the Fréchet distance is FID.
    """
    settings = resolve(run, pipeline, features)
    from gan.compression import pipeline as stages

    stages.run(settings, run)


def translate(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    images: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGES")],
    out: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")],
) -> None:
    """Run a found generator on a picture or on every picture of a folder; prints a JSON object for each.

    Args:
        run: folder of a finished run.
        images: a picture file, or a folder of them.
        out: folder for the pictures made; made if needed.
    """
    from common.cli import predict
    from gan.data.files import pictures

    source = Path(images)
    if not source.exists():
        raise UserError(f"{source}: no such file or folder; give a picture or a folder of pictures")
    files = pictures(source) if source.is_dir() else [source]
    if not files:
        raise UserError(f"{source}: no picture in it; give a folder of .jpg or .png files")
    predict(Path(run), tuple(files), Path(out))


def describe(
    system: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SYSTEM")],
    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")],
    space: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
) -> None:
    """Parameters and MACs of an architecture as one JSON object, without data or training.

    Args:
        system: name of the system, e.g. gan-compression.
        arch: a released name (edges2shoes), a configuration (32_32_48_32_48_48_16_16), or an arch.json.
        space: which of the system's choice sets the architecture must be of.
    """
    describe_system(SYSTEMS, system, arch, space)


COMMANDS = {"gan-compression": gan_compression, "translate": translate, "describe": describe}
"""Name -> what the script runs."""

if __name__ == "__main__":
    main("python -m gan.train", COMMANDS)

"""Search, train, describe and use generators of pictures: `python -m gan.train gan-compression --recipe smoke`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from common.commands import run_script
from common.errors import UserError
from gan.systems import SYSTEMS


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


MORE = {"translate": translate}
"""Commands besides those of the systems, by name."""

if __name__ == "__main__":
    run_script("gan", SYSTEMS, MORE)

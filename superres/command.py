"""The command `upscale`: the found network of a run on a picture, or on every picture of a folder. No torch here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import tyro

from common.data.problems import listing
from common.errors import UserError
from common.options import without_default
from common.run.progress import Progress
from common.run.unfinished import check_finished
from common.script import make_folder


def upscale(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    image: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IN")],
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")],
    tile: Annotated[int | None, without_default("N")] = None,
    ensemble: bool = False,
    scale: Annotated[int | None, without_default("N")] = None,
    compile: bool = False,
) -> None:
    """Make a picture, or every picture of a folder, larger with a found network; prints a JSON object for each.

    Args:
        run: folder of a finished run.
        image: a picture file of any size, or a folder of them.
        out: the file to write (.png, .jpg ...), or a folder, which is made if needed and gets NAME-x2.png for each picture.
        tile: side of the largest part that is upscaled at once, in pixels of IN; a smaller one takes less memory.
        ensemble: average over the eight flips and quarter turns of a picture: a little better, and eight times slower.
        scale: how many times larger; a run was trained for one scale, which is taken by default.
        compile: compile the network first: half a minute and a C++ compiler, for a fifth to a quarter less time a picture.
    """
    check_finished(run)
    from common.stages.reload import best, reload, sound
    from superres.facts import SuperResFacts
    from superres.fast import check_compiler, compiled, keep_memory
    from superres.files import check, left_out, planned, upscale_file
    from superres.upscaling import LEAST_TILE, TILE

    side = TILE if tile is None else tile
    if side < LEAST_TILE:
        raise UserError(
            f"--tile {side}: tiles overlap, so that they need {LEAST_TILE} pixels a side at least: --tile {LEAST_TILE}"
        )
    if compile:
        check_compiler()
    reloaded = reload(run)
    facts = reloaded.facts
    if not isinstance(facts, SuperResFacts):
        raise UserError(f"{run} is a run of another task; give the folder of a run of superres")
    if scale not in (None, facts.scale):
        raise UserError(
            f"--scale {scale}: {run} was trained for scale {facts.scale}; give --scale {facts.scale}, or a run of scale {scale}"
        )
    pairs = planned(image, out, facts.scale)
    tiles, problems = [], []
    for file, target in pairs:
        try:
            tiles.append(check(file, target, facts.scale, tile=side, ensemble=ensemble))
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError(f"{listing(problems)}{'; remove the files named from the folder' if image.is_dir() else ''}")
    network = best(run, reloaded)
    make_folder(pairs[0][1].parent)
    keep_memory()
    progress = Progress(stream=sys.stderr)
    if compile:
        progress.say("compiling the network: about half a minute")
        network = compiled(network)
    if others := left_out(image):
        progress.say(f"note: left out: {listing(others, 'entries')}")
    for number, (file, target) in enumerate(pairs):
        progress.place(number + 1, len(pairs))
        with progress.stage(file.name, tiles[number]) as bar, sound(reloaded.source):
            row = upscale_file(network, file, target, facts.scale, tile=side, ensemble=ensemble, advance=bar.advance)
        print(json.dumps(row), flush=True)

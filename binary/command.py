"""The command `deploy`: the found network of a run with packed weights, as one file that runs it. No torch here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import tyro

from common.errors import UserError
from common.options import without_default
from common.run.unfinished import check_finished
from common.script import make_folder


def deploy(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    out: Annotated[Path | None, without_default("FOLDER")] = None,
) -> None:
    """Pack the found network of a run: one bit for each binary weight, in one file that classifies images without this project.

    The file gives the same probabilities as the network, bit by bit, which is checked. Prints a JSON object, and a note where
    this processor lacks the instructions that make packed networks fast.

    Args:
        run: folder of a finished run.
        out: where packed.zip is written; RUN/packed by default.
    """
    check_finished(run)
    from binary.deploy.bundle import bundle
    from binary.packed.processor import fallback, instructions
    from classification.facts import ClassificationFacts
    from common.stages.reload import best, reload, sound

    reloaded = reload(run)
    facts = reloaded.facts
    if not isinstance(facts, ClassificationFacts):
        raise UserError(f"{run} is a run of another task, without binary weights; give the folder of a run of binary")
    network = best(run, reloaded)
    folder = run / "packed" if out is None else out
    make_folder(folder)
    with sound(reloaded.source):
        made = bundle(network, facts, folder)
    sizes = {"file": made.bytes, "network": made.network, "real_network": made.real}
    megabytes = {name: round(size / 1e6, 3) for name, size in sizes.items()}
    told = {"file": str(made.file), "megabytes": megabytes, "compared_on_images": made.images}
    if slow := fallback():
        print(f"note: {slow}", file=sys.stderr)
    print(json.dumps({**told, "counts_bits_with": instructions()}))

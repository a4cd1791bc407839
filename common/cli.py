"""What can be done with any run folder, and with a table of scores: `python -m common.cli --help`.

A run folder names its task and system in `config.json`; `common.system` looks the declaration up by these names.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from common.errors import UserError
from common.options import without_default
from common.run.files import check_folder
from common.run.unfinished import check_finished
from common.script import device_named, main, make_folder

Run = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
Files = Annotated[tuple[Path, ...], tyro.conf.Positional, without_default("FILE ...")]
Folder = Annotated[Path | None, without_default("FOLDER")]
File = Annotated[Path | None, without_default("FILE")]
Name = Annotated[str | None, without_default("NAME")]


def report(run: Run) -> None:
    """Write the report of a run again and print its path.

    Args:
        run: the run folder.
    """
    from common.run.report import write_report

    print(write_report(run))


def compare(runs: Annotated[tuple[Path, ...], tyro.conf.Positional, without_default("RUN ...")]) -> None:
    """Print runs side by side, one line each.

    Args:
        runs: the run folders, of any tasks.
    """
    from common.run.report import compare as table

    print(table(runs), end="")


def export(run: Run, name: str = "searched", seed: int = 0, out: Folder = None) -> None:
    """Write a retrained network as ONNX, checked against torch, with a script that uses it.

    Args:
        run: the run folder.
        name: the network's name in the report.
        seed: the number of its training.
        out: folder to write; RUN/exported/NAME-SEED by default.
    """
    from common.extras import require
    from common.stages.reload import export_retrained, reload

    require("export")
    folder, parity = export_retrained(run, reload(run), name, seed, out)
    print(json.dumps({"folder": str(folder), **parity.facts()}))


def predict(run: Run, images: Files, out: Folder = None) -> None:
    """Run the best network of a run on files: one JSON object a line, and a picture or a table of each.

    Args:
        run: the run folder.
        images: the files: pictures or, for a run on graphs, .npz files with x and edge_index.
        out: folder for the pictures or tables; RUN/predictions by default.
    """
    if not images:
        raise UserError("predict: no file given; name at least one, a picture or, for a run on graphs, an .npz file")
    check_finished(run)
    if absent := [str(file) for file in images if not file.exists()]:
        raise UserError(f"{absent[0]}: no such file; name files that there are")
    folder = out or run / "predictions"
    check_folder(folder)
    from common.stages.reload import best, reload

    reloaded = reload(run)
    network = best(run, reloaded)
    make_folder(folder)
    for row in reloaded.predict(network, images, folder):
        print(json.dumps(row))


def latency_table(
    run: Annotated[Path | None, tyro.conf.Positional, without_default("RUN")] = None,
    task: Name = None,
    system: Name = None,
    space: Name = None,
    out: File = None,
    repeats: int = 30,
    archs: int = 10,
    device: str = "cpu",
    threads: int = 1,
    pairs: bool = False,
    deployed: bool = False,
) -> None:
    """Measure what every option of a space costs in time; print how well the table predicts, and warn if it predicts badly.

    Args:
        run: a run folder, whose space and image size are taken.
        task: without a run: the task's package, e.g. detection.
        system: without a run: the system, e.g. detnas.
        space: without a run: one of the system's spaces, e.g. tiny.
        out: file to write; RUN/latency.json or latency-SYSTEM-SPACE.json by default.
        repeats: timed passes for each entry.
        archs: random architectures that the prediction is checked on.
        device: where to measure: cpu, cuda, cuda:1 ...; auto takes a GPU if there is one.
        threads: torch threads, part of the conditions that are written with the table.
        pairs: time options of decisions that meet in a layer together too: for widths, which multiply. Needs a run.
        deployed: time networks as they are deployed, binary ones with packed weights. Needs a run.
    """
    if run is None and (pairs or deployed):
        raise UserError("latency-table: --pairs and --deployed need a run folder")
    if archs < 2 or threads < 1 or repeats < 2:
        raise UserError(
            f"--archs {archs} --threads {threads} --repeats {repeats}: give at least 2 architectures, 1 thread and 2 repeats"
        )
    if run is not None and (task, system, space) != (None, None, None):
        raise UserError("latency-table: a run folder has a task, system and space of its own; leave the options out")
    named = f"latency-{system}-{space}.json".replace(" ", "-")
    target = out or (run / "latency.json" if run is not None else Path(named))
    device = device_named(device)
    from common.stages.latency import Subject, measured, say

    if run is not None:
        subject = Subject.of_run(run, pairs=pairs, deployed=deployed)
    elif task is not None and system is not None and space is not None:
        subject = Subject.of_system(task, system, space)
    else:
        raise UserError("latency-table: give a run folder, or --task, --system and --space")
    make_room(target)
    found = measured(subject, target, repeats=repeats, archs=archs, device=device, threads=threads)
    say(target, found)


def make_room(file: Path) -> None:
    """Makes the folder of a file that is written later, before work is spent on it.

    Raises:
        UserError: the folder cannot be made, or a folder is where the file would be.
    """
    if file.is_dir():
        raise UserError(f"{file} is a folder; give a file as --out")
    check_folder(file.parent)
    make_folder(file.parent)


def engines() -> None:
    """List every search engine and every evaluation with their settings."""
    from common.listing import engines_text

    print(engines_text())


def study(
    table: Annotated[Path, tyro.conf.Positional],
    objective: str,
    direction: Literal["max", "min"] = "max",
    costs: Annotated[tuple[str, ...], without_default("NAME ...")] = (),
    engines: Annotated[tuple[str, ...], without_default("NAME ...")] = (),
    queries: tuple[int, ...] = (50, 100),
    seeds: int = 20,
    workers: int = 0,
    out: File = None,
) -> None:
    """Compare the search engines on a table of architectures and scores, without training anything.

    Args:
        table: CSV file with columns arch.NAME (decisions) and scores, or JSONL file like the trials.jsonl of a run.
        objective: the score that engines follow, a column.
        direction: whether the largest or the smallest score is best.
        costs: cost columns that engines of several objectives make small as well.
        engines: names of engines; all by default.
        queries: numbers of looked up architectures to report at.
        seeds: searches with each engine.
        workers: processes.
        out: file for the result, Markdown; printed by default.
    """
    from common.run.files import write_atomic
    from common.stages.study import study as compared

    if out is not None:
        make_room(out)
    text = compared(
        table, objective, direction=direction, costs=costs, engines=engines, queries=queries, seeds=seeds, workers=workers
    )
    if out is None:
        print(text)
        return
    write_atomic(out, text.encode())
    print(out)


def spaces(
    files: Files,
    objective: str,
    complexity: str = "macs",
    direction: Literal["max", "min"] = "max",
    bins: int = 10,
    out: File = None,
) -> None:
    """Compare design spaces by the distributions of their random networks' scores, sizes made alike.

    Args:
        files: a run folder whose search was random, or a CSV or JSONL table, of each space; see `study`.
        objective: the score that networks are compared by.
        complexity: the cost that is made alike.
        direction: whether the largest or the smallest score is best.
        bins: of complexities; fewer are taken where one would be empty, and the result says so.
        out: file for the result, Markdown; printed by default.
    """
    from common.run.files import write_atomic
    from common.stages.spaces import compare_spaces

    if out is not None:
        make_room(out)
    text, notes = compare_spaces(files, objective, complexity, direction, bins)
    if out is None:
        print(text, end="")
        return
    write_atomic(out, text.encode())
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    print(out)


def listing(write: bool = False) -> None:
    """List every system with its task and its paper, as a Markdown table.

    Args:
        write: in a source tree, bring systems.mk, the README's table and docs/engines.md up to date.
    """
    from common.listing import systems_table
    from common.listing import write as bring_up_to_date

    if write:
        for path in bring_up_to_date():
            print(path)
    else:
        print(systems_table("tasknas"))


ON_RUNS = {"report": report, "compare": compare, "export": export, "predict": predict, "latency-table": latency_table}
"""Commands for run folders, by name."""

ON_NETWORKS = {"list": listing, "engines": engines, "study": study, "spaces": spaces}
"""Commands that need no run, by name."""

COMMANDS = ON_RUNS | ON_NETWORKS
"""Name -> what is run."""

if __name__ == "__main__":
    main("python -m common.cli", COMMANDS)

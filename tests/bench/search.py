"""Runs the engines on the tables and writes the page: `python -m tests.bench.search --table nasbench201 --seeds 200`."""

from __future__ import annotations

import argparse
import datetime
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from common.errors import UserError
from common.run.environment import environment, git
from common.run.files import write_atomic
from common.script import spoken_errors
from common.tables.columns import MissingTable
from common.tables.load import TABLES, data_folder, load
from common.tables.study import Run, Study, each, runs
from common.tables.table import Table
from tests.bench.engines import ENGINES, Engine, settings
from tests.bench.fronts import FRONT_FROM, METHODS, NOTE, Goal, devices, goal, ours, volumes
from tests.bench.kept import Row, kept, source_digest, table_digest
from tests.bench.out import check_out
from tests.bench.search_page import Entry, Facts, Front, Section, head, page, row, verdict
from tests.bench.search_plots import curves
from tests.bench.search_remarks import REMARKS

ROOT = Path(__file__).resolve().parents[2]
ALONE = "generated"
"""The table that needs no file."""
FRONT_QUERIES = (100, 200, 300)
FRONT_SEEDS = 100
"""At most so many for the fronts."""


def matching(pattern: str) -> list[str]:
    """Names of the tables that begin with `pattern`, or of all.

    Raises:
        UserError: There is none.
    """
    names = [name for name in TABLES if pattern == "all" or name.startswith(pattern)]
    if not names:
        raise UserError(f"there is no table {pattern!r}: give all, a name or the beginning of some: {', '.join(TABLES)}")
    return [pattern] if pattern in names else names


def loaded(pattern: str, data: Path) -> tuple[list[Table], list[str]]:
    """The tables that match, and what is missing; the generated one where nothing else is there.

    Raises:
        UserError: There is no such table, no such folder, or a file is damaged.
    """
    if data != data_folder() and not data.is_dir():
        raise UserError(f"--data {data} is no folder: give the one that holds nasbench/")
    tables, missing = [], []
    for name in matching(pattern):
        try:
            tables.append(load(name, data))
        except MissingTable as error:
            missing.append(f"{name}: {error}")
    return tables or [load(ALONE, data)], missing


def study_of(table: Table, name: str, engine: Engine, options: argparse.Namespace) -> tuple[Entry, str]:
    """An engine's entry on a table, its runs kept in the cache, and the commit that they are of."""
    searcher, queries = engine.make(table, 0), max(options.queries)
    key = {
        "table": table.name,
        "columns": table_digest(table),
        "settings": engine.settings(table),
        "source": source_digest(searcher, engine.make),
        "queries": queries,
    }

    def produce(seeds: Sequence[int]) -> Iterator[Row]:
        for run in runs(table, engine.make, seeds, queries, options.workers):
            yield {"seed": run.seed, "steps": run.steps, "seconds": run.seconds}

    seeds = engine.seeds(table, options.seeds)
    rows, commit = kept(options.cache / table.name / f"{name}.jsonl", key, options.commit, seeds, produce)
    found = tuple(
        Run(seed=row["seed"], steps=tuple((q, o, r) for q, o, r in row["steps"]), seconds=row["seconds"]) for row in rows
    )
    study = Study(queries=queries, runs=found)
    return Entry(name=name, title=engine.title, settings=key["settings"], study=study), commit


def section_of(table: Table, options: argparse.Namespace, commits: set[str]) -> Section:
    """All engines on one table, printed as they are done."""
    print("\n".join(["", table.title, *head(options.queries)]), flush=True)
    entries = []
    for name in options.engines:
        engine = ENGINES[name]
        entry = Entry(name=name, title=engine.title, settings="", study=None)
        if engine.fits(table):
            entry, commit = study_of(table, name, engine, options)
            commits.add(commit)
        entries.append(entry)
        print(row(entry, options.queries), flush=True)
    picture = options.images / f"search-{table.name}.png"
    results = {entry.title: entry.study.result for entry in entries if entry.study}
    curves(picture, table.title, table.result.unit, results)
    made = Section(table=table, entries=entries, picture=Path(os.path.relpath(picture, options.out.parent)).as_posix())
    print("\n".join(verdict(made, max(options.queries))), flush=True)
    return made


def _volumes(table: Table, aim: Goal, method: str, seed: int) -> Row:
    return {"seed": seed, "volumes": volumes(method, table, aim, FRONT_QUERIES, seed)}


def fronts_of(table: Table, options: argparse.Namespace, commits: set[str]) -> Iterator[Front]:
    """The fronts of one table, one for each device."""
    seeds = range(FRONT_FROM, FRONT_FROM + min(options.seeds, FRONT_SEEDS))
    for device in devices(table):
        aim, found = goal(table, device), {}
        for method in METHODS:
            key = {"columns": table_digest(table), "at": FRONT_QUERIES, "ours": settings(ours(table, aim, 0)), "goal": repr(aim)}
            file = options.cache / table.name / f"front-{device}-{METHODS.index(method)}.jsonl"
            job = partial(_volumes, table, aim, method)
            produce = partial(each, job, workers=options.workers)
            rows, commit = kept(file, {**key, "method": method}, options.commit, seeds, produce)
            commits.add(commit)
            found[method] = np.array([row["volumes"] for row in rows])
            shares = ", ".join(f"{100 * share:.2f}" for share in found[method].mean(axis=0))
            print(f"{table.name}, {device}, {method}: {shares} % at {', '.join(map(str, FRONT_QUERIES))} queries", flush=True)
        yield Front(table=table.title, device=device, at=FRONT_QUERIES, volumes=found)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.search", description="Search engines on benchmark tables.")
    parser.add_argument("--table", default="all", help="a name, the beginning of some, or all")
    parser.add_argument("--seeds", type=int, default=200, help="runs of each engine; expensive ones have fewer")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES), help="which of them")
    parser.add_argument("--queries", nargs="+", type=int, default=[50, 100, 150, 300], help="columns of the page")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes; 0 for this one")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/search.md", help="page to write")
    parser.add_argument("--images", type=Path, default=ROOT / "docs/images", help="folder of the curves")
    parser.add_argument("--data", type=Path, default=data_folder(), help="folder that holds nasbench/")
    parser.add_argument(
        "--cache",
        type=Path,
        default=ROOT / "runs/bench-search",
        help="results of single seeds; remove it after changes of the core or of an engine's parts",
    )
    options = parser.parse_args(arguments)
    if min(options.seeds, *options.queries) < 1 or options.workers < 0:
        parser.error("seeds and queries are at least 1, workers at least 0")
    options.queries = sorted(set(options.queries))
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Everything; see `--help`."""
    options = parsed(arguments)
    check_out(options.out)
    found = git(ROOT)
    options.commit = "unknown" if found is None else found["commit"][:12] + (" with changes" if found["dirty"] else "")
    tables, missing = loaded(options.table, options.data)
    for line in missing:
        print(f"missing: {line}", flush=True)
    commits: set[str] = set()
    sections = [section_of(table, options, commits) for table in tables]
    print("", flush=True)
    fronts = [front for table in tables for front in fronts_of(table, options, commits)]
    command = shlex.join(["python", "-m", "tests.bench.search", *(sys.argv[1:] if arguments is None else arguments)])
    facts = Facts(
        command=command,
        date=datetime.date.today().isoformat(),
        environment=environment(),
        commits=sorted(commits),
        queries=options.queries,
        seeds=options.seeds,
        missing=missing,
    )
    write_atomic(options.out, page(facts, sections, fronts, NOTE, REMARKS).encode())
    print(options.out)


if __name__ == "__main__":
    with spoken_errors("What was finished is kept; the same command goes on."):
        main()

"""Trains networks of NAS-Bench-Graph and compares with the table: `python -m tests.bench.nasbench_graph --architectures 60`."""

from __future__ import annotations

import argparse
import datetime
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from common.errors import UserError
from common.run.environment import environment, git
from common.run.files import write_atomic
from common.script import spoken_errors
from common.space import decode, enumerate_all
from common.tables.load import data_folder, load
from common.tables.nasbench_graph import Network, stored
from common.tables.table import Table
from tests.bench.kept import Row, kept, table_digest
from tests.bench.nasbench_graph_page import Facts, Trained, page, verdict
from tests.bench.out import check_out

ROOT = Path(__file__).resolve().parents[2]
DATASET = "cora"


def spread(table: Table, count: int) -> list[int]:
    """Rows at equal steps of the table's test ranking, from worst to best: the middles of `count` equal parts.

    Raises:
        UserError: There are fewer rows, or none is asked for.
    """
    ranked = np.argsort(table.scores[table.fidelity]["test"], kind="stable")
    if not 0 < count <= len(ranked):
        raise UserError(f"--architectures {count}: the table has {len(ranked)}; give a number from 1 to that")
    middles = (np.arange(count) + 0.5) * len(ranked) / count
    return ranked[middles.astype(int)].tolist()


def networks(table: Table, rows: Sequence[int]) -> dict[int, Network]:
    """The networks of these rows, as the table stores them."""
    wanted, found = set(rows), {}
    for arch in enumerate_all(table.space):
        row = table.row(arch)
        if row in wanted and row not in found:
            found[row] = stored(decode(table.space, arch))
            if len(found) == len(wanted):
                break
    return found


def trained(table: Table, rows: Sequence[int], options: argparse.Namespace) -> tuple[list[Trained], str]:
    """A training of each row's network, taken from the cache where it is there, and the commit of the first of them."""
    from graphs.nasbench.data import planetoid
    from graphs.nasbench.model import build
    from graphs.nasbench.settings import HYPER
    from graphs.nasbench.train import train

    graph, hyper, of = planetoid(options.data / "graphs/planetoid", "Cora"), HYPER[DATASET], networks(table, rows)
    valid, test = (table.scores[table.fidelity][name] for name in ("valid", "test"))

    def produce(missing: Sequence[int]) -> Iterator[Row]:
        for row in missing:
            network = of[row]
            sized = build(network, graph.x.features, graph.classes, hyper)
            begin = time.process_time()
            outcome = train(network, graph, hyper, options.seed, options.epochs, options.every)
            cpu = time.process_time() - begin
            print(
                f"{network.link} {' '.join(network.ops)}: test {outcome.test:.1f} ({test[row]:.1f}), "
                f"valid {outcome.valid:.1f} ({valid[row]:.1f}), {outcome.seconds:.0f} s",
                flush=True,
            )
            yield {"seed": row, "cpu": cpu, "params": sum(p.numel() for p in sized.parameters()), **asdict(outcome)}

    key = {
        "table": table_digest(table),
        "hyper": asdict(hyper),
        "epochs": options.epochs,
        "every": options.every,
        "seed": options.seed,
    }
    # what the cache counts by is a seed elsewhere and a row of the table here
    name = f"{DATASET}-{options.epochs}-epochs-seed-{options.seed}.jsonl"
    made, commit = kept(options.cache / name, key, options.commit, rows, produce)
    params = np.round(1e6 * table.costs["params_m"]).astype(int)
    return [
        Trained(
            network=of[row],
            published_valid=float(valid[row]),
            published_test=float(test[row]),
            published_params=int(params[row]),
            valid=found["valid"],
            test=found["test"],
            chosen=found["chosen"],
            epoch=found["epoch"],
            epochs=found["epochs"],
            seconds=found["seconds"],
            cpu=found["cpu"],
            params=found["params"],
        )
        for row, found in zip(rows, made, strict=True)
    ], commit


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.nasbench_graph", description="Trainings against the table.")
    parser.add_argument("--architectures", type=int, default=60, help="at equal steps of the table's test ranking")
    parser.add_argument("--seed", type=int, default=0, help="of weights and dropout")
    parser.add_argument("--epochs", type=int, default=400, help="of each training; the benchmark has 400")
    parser.add_argument("--every", type=int, default=1, help="epochs between evaluations; the benchmark has 1")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/nasbench-graph.md", help="page to write")
    parser.add_argument("--data", type=Path, default=data_folder(), help="folder that holds nasbench/ and graphs/")
    parser.add_argument("--cache", type=Path, default=ROOT / "runs/bench-nasbench-graph", help="finished trainings")
    options = parser.parse_args(arguments)
    if min(options.architectures, options.epochs, options.every) < 1:
        parser.error("architectures, epochs and every are at least 1")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Everything; see `--help`."""
    options = parsed(arguments)
    check_out(options.out)
    found = git(ROOT)
    options.commit = "unknown" if found is None else found["commit"][:12] + (" with changes" if found["dirty"] else "")
    table = load(f"nasbench-graph-{DATASET}", options.data)
    results, commit = trained(table, spread(table, options.architectures), options)
    facts = Facts(
        command=shlex.join(["python", "-m", "tests.bench.nasbench_graph", *(sys.argv[1:] if arguments is None else arguments)]),
        date=datetime.date.today().isoformat(),
        environment=environment(),
        commit=commit,
        rows=len(table.costs["params_m"]),
        epochs=options.epochs,
        every=options.every,
        seed=options.seed,
    )
    print("\n".join(verdict(results)), flush=True)
    write_atomic(options.out, page(facts, results).encode())
    print(options.out)


if __name__ == "__main__":
    with spoken_errors("What was finished is kept; the same command goes on."):
        main()

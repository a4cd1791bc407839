"""Results of single seeds, kept in a file as they come, so that an interrupted study goes on where it stopped."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.run.files import Jsonl
from common.tables.table import Table

Row = dict[str, Any]
"""JSON values; `seed` is one of them."""


def kept(
    file: Path,
    key: Mapping[str, Any],
    commit: str,
    seeds: Sequence[int],
    produce: Callable[[Sequence[int]], Iterator[Row]],
) -> tuple[list[Row], str]:
    """Rows of all seeds, in their order: those in the file, and new ones for the rest, which are added to it one by one.

    Args:
        file: Its first line is the key; a file with another key is begun anew.
        key: All that the rows depend on, but for the code of the core.
        commit: Of the code that makes new rows.
        seeds: Wanted.
        produce: Makes the rows of the seeds given, in their order.

    Returns:
        The rows, and the commit at which the file was begun.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    log = Jsonl(file, of_run=False)  # searches with the engine `random` are kept in random.jsonl
    log.repair()
    wanted = json.loads(json.dumps(key))
    head, *rows = log.rows() or [{}]
    if head.get("key") != wanted:
        file.unlink(missing_ok=True)
        head, rows = {"key": wanted, "commit": commit}, []
        log.append(head)
    done: dict[int, Row] = {row["seed"]: row for row in rows}
    for row in produce(missing) if (missing := [seed for seed in seeds if seed not in done]) else ():
        log.append(row, durable=False)
        done[row["seed"]] = row
    return [done[seed] for seed in seeds], head["commit"]


def table_digest(table: Table) -> str:
    """A short name of all numbers in a table."""
    sha = hashlib.sha256()
    columns = {**{(fidelity, name): c for fidelity, of in table.scores.items() for name, c in of.items()}, **table.costs}
    for name, column in columns.items():
        sha.update(str(name).encode())
        sha.update(column.tobytes())
    return sha.hexdigest()[:12]


def source_digest(made: object, make: Callable[..., object]) -> str:
    """A short name of the source file in which the type of `made` is written, and of the function that made it."""
    texts = [inspect.getsource(inspect.getmodule(type(made)) or type(made)), inspect.getsource(make)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]

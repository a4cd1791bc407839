"""A latency table: the time that each option of each decision adds to a network.

`common.cost.measuring.build_table` measures the options once; `LatencyTable.predict` then sums them for any architecture. As in
ProxylessNAS (Cai et al., 2019) and FBNet (Wu et al., 2019), but each option is timed inside a network, on the tensors that reach
the option there. The sum is an estimate; `common.cost.measuring.errors` compares it with measurements.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any

import torch

from common.errors import UserError, cut
from common.json_text import NotJson, read_foreign
from common.overrides import from_plain
from common.space import decisions, space_fingerprint

MOST_PERCENT = 50.0
"""Largest median error of a table that networks may be chosen by, in percent of the measured time."""
LEAST_RANK = 0.5
"""Smallest rank correlation of predicted and measured times of such a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Errors of the predictions of a table, and whether they are too large to choose networks by it.

    Attributes:
        n: number of architectures measured.
        median_percent: the median of |predicted - measured| / measured, in percent.
        spearman: rank correlation of predicted and measured times, -1 to 1.
    """

    n: int
    median_percent: float
    spearman: float

    def faults(self) -> list[str]:
        """What speaks against the use of the table; empty where the check is passed."""
        found: list[str] = []
        if not self.median_percent <= MOST_PERCENT:
            found.append(f"an error of {self.median_percent:.1f} % (at most {MOST_PERCENT:g} %)")
        if not self.spearman >= LEAST_RANK:
            found.append(f"a rank correlation of {self.spearman:.2f} (at least {LEAST_RANK:g})")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTable:
    """Times of options, to be summed for an architecture.

    Attributes:
        space: fingerprint of the space.
        base_ms: time of the network of all first options, in milliseconds.
        rows: decision path -> for each option, its time minus the first option's time (milliseconds, may be negative).
        labels: decision path -> the options' labels.
        conditions: conditions of the measurement: device, threads, batch and the like.
        check: the `Errors` of the table on random architectures, by name; empty before they are measured.
        pairs: path -> path of another decision -> for each option of the first one, and of the second one, what both take
            together beyond what each of them takes alone (milliseconds): two widths that meet in a layer multiply.
    """

    space: str
    base_ms: float
    rows: dict[str, list[float]]
    labels: dict[str, list[str]]
    conditions: dict[str, str | int]
    check: dict[str, float] = field(default_factory=dict)
    pairs: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)

    def predict(self, arch: Mapping[str, int]) -> float:
        """Returns the estimated milliseconds per pass: `base_ms` plus the entries of each decision of `arch` and of each pair.

        Raises:
            UserError: the table has no row for a decision of `arch`.
        """
        if unknown := [path for path in arch if path not in self.rows]:
            raise UserError(f"the latency table has no decision {unknown[0]!r}; build a table for this space")
        alone = sum(self.rows[path][option] for path, option in arch.items())
        return self.base_ms + alone + sum(times[arch[first]][arch[second]] for first, second, times in self.joint())

    def joint(self) -> Iterator[tuple[str, str, list[list[float]]]]:
        """Both decisions of each pair, and what their options take together beyond both alone."""
        return ((first, second, times) for first, others in self.pairs.items() for second, times in others.items())

    def faults(self) -> list[str]:
        """What its own check says against its use; empty where there is nothing, or where nothing was checked."""
        return from_plain(Errors, self.check, "check").faults() if self.check else []

    def text(self) -> str:
        """The table as JSON, what `load` reads; `common.run.files.write_atomic` writes it without leaving half a file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def load(cls, path: Path, space: Any) -> LatencyTable:
        """Reads the table of `space` from the file `path`.

        Raises:
            UserError: the file is missing, is not a latency table, or is the table of another space.
        """
        try:
            table = from_plain(cls, read_foreign(path), "it")
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}); build the latency table first") from error
        except (NotJson, UserError) as error:
            raise UserError(f"{path}: is not a latency table ({cut(str(error))}); build it again") from error
        if table.space != space_fingerprint(space):
            raise UserError(f"{path}: was measured for another space; build a latency table for this one")
        sizes = {name: len(decision) for name, decision in decisions(space).items()}
        if {name: len(row) for name, row in table.rows.items()} != sizes or not all(map(isfinite, chain(*table.rows.values()))):
            raise UserError(f"{path}: does not have a time for every option; build it again")
        for first, second, times in table.joint():
            whole = first in sizes and second in sizes and [len(row) for row in times] == [sizes[second]] * sizes[first]
            if not whole or not all(map(isfinite, chain(*times))):
                raise UserError(f"{path}: does not have a time for every pair of options of {first} and {second}; build it again")
        return table


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Returns the rank correlation of `a` and `b`: equal values share their mean rank; 0 if one side is constant."""
    ranks = torch.tensor([_ranks(a), _ranks(b)], dtype=torch.float64)
    ranks = ranks - ranks.mean(1, keepdim=True)
    norm = ranks.norm(dim=1).prod()
    return float((ranks[0] * ranks[1]).sum() / norm) if norm > 0 else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    return [sum(v < w for v in values) + (sum(v == w for v in values) - 1) / 2 for w in values]

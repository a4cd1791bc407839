"""Run folders, read from Python: trials and networks of a run of any task, and its report. Importing it needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from common.errors import UserError, shown
from common.run.report.load import Labels, Numbers, RetrainedRow, StageRow, TrialRow, read_run
from common.run.unfinished import how_to_go_on

if TYPE_CHECKING:
    from pandas import DataFrame
    from torch import nn

    from common.run.report.load import Run as Loaded

FILES = {"search": "trials", "random": "random"}


@dataclass(frozen=True, slots=True)
class Run:
    """The folder of a run, finished or not; files are read anew at every call.

    >>> Run(Path("no-such-folder"))
    Traceback (most recent call last):
    ...
    common.errors.UserError: no-such-folder is no run folder: it has no config.json; give the folder that a run was written to

    Attributes:
        path: the folder.
        build: the build function of an own network: a run folder holds no code. Published systems bring theirs.
        space: the description of an own network with open decisions.
    """

    path: Path
    build: Callable[[Any], nn.Module] | None = None
    space: Any = None

    def __post_init__(self) -> None:
        """Takes the path as text as well.

        Raises:
            UserError: there is no run in it.
        """
        object.__setattr__(self, "path", Path(self.path))
        if not (self.path / "config.json").is_file():
            raise UserError(f"{self.path} is no run folder: it has no config.json; give the folder that a run was written to")

    @property
    def config(self) -> dict[str, Any]:
        """Settings, seed, versions and machine: `config.json`."""
        from common.run.files import read_json

        return read_json(self.path / "config.json")

    @property
    def stages(self) -> Sequence[StageRow]:
        """The finished stages with their results and their seconds, in order."""
        return self._loaded().stages

    @property
    def finished(self) -> bool:
        """Whether every stage is done: the last one leaves the best network in `best/`."""
        return (self.path / "best" / "metrics.json").is_file() and any(stage.name == "export" for stage in self.stages)

    def trials(self, of: Literal["search", "random"] = "search") -> Sequence[TrialRow]:
        """The candidates that were evaluated, in order, failed ones (`ok` is false) included.

        Args:
            of: the search, or random search with as many candidates.

        Raises:
            UserError: a line of the file is damaged.
        """
        _known(of)
        loaded = self._loaded(f"{FILES[of]}.jsonl")
        return loaded.trials if of == "search" else loaded.random

    def trials_frame(self, of: Literal["search", "random"] = "search") -> DataFrame:
        """The candidates as a pandas frame: columns `arch.DECISION`, `score.NAME` and `cost.NAME`, those that `study` reads.

        Args:
            of: as for `trials`.

        Raises:
            UserError: pandas is not installed, or a line of the file is damaged.
        """
        return _frame(
            {
                "id": row.id,
                **_columns("arch", row.arch),
                **_columns("score", row.scores),
                **_columns("cost", row.cost),
                "status": "ok" if row.ok else "failed",
                "fidelity": row.fidelity,
                "seconds": row.seconds,
                "origin": row.origin,
                "error": row.error,
            }
            for row in self.trials(of)
        )

    def retrained(self) -> Sequence[RetrainedRow]:
        """The networks that were trained alone, one row for each network and seed: searched, random and baseline.

        Raises:
            UserError: a line of the file is damaged.
        """
        return self._loaded("retrained.jsonl").retrained

    def retrained_frame(self) -> DataFrame:
        """The networks that were trained alone as a pandas frame: columns `val.NAME`, `test.NAME`, `arch.DECISION`, `cost.NAME`.

        Raises:
            UserError: pandas is not installed, or a line of the file is damaged.
        """
        return _frame(
            {
                "name": row.name,
                "kind": row.kind,
                "seed": int(row.seed),
                **_columns("val", row.val),
                **_columns("test", row.test),
                **_columns("arch", row.arch),
                **_columns("cost", row.cost),
                "seconds": row.seconds,
                "error": row.error,
            }
            for row in self.retrained()
        )

    def best(self) -> RetrainedRow:
        """The searched network, in its training with the best validation score: what lies in `best/`.

        Raises:
            UserError: it was not trained yet, or every training of it failed.
        """
        loaded = self._loaded("retrained.jsonl")
        rows = [row for row in loaded.retrained if row.kind == "searched" and not row.error]
        if not rows or not loaded.config.goals:
            hint = how_to_go_on(self.path) or "every training of it failed; see the report"
            raise UserError(f"{self.path}: no searched network is trained: {hint}")
        goal = loaded.config.goals[0]
        if odd := [row for row in rows if goal.name not in row.val or not row.seed.isdecimal()]:
            raise UserError(
                f"{self.path / 'retrained.jsonl'}: the searched network of seed {shown(odd[0].seed)} has no score "
                f"{shown(goal.name)} on val; restore the file"
            )
        sign = 1 if goal.maximise else -1
        return max(rows, key=lambda row: (sign * row.val[goal.name], -int(row.seed)))

    def network(self, name: str = "searched", seed: int | None = None) -> nn.Module:
        """A trained network with its weights, in eval mode: an ordinary torch module.

        Args:
            name: its name in the report: `searched`, `random 1`, `baseline`, ...
            seed: the number of its training; by default that with the best validation score for `searched`, else 0.

        Raises:
            UserError: the run has no such network, its weights are damaged, or the build function of an own network is missing.
        """
        from common.stages.reload import reload, retrained

        return retrained(self.path, reload(self.path, self.build, self.space), name, self._seed(name, seed))[0]

    def export(self, name: str = "searched", seed: int | None = None, out: Path | None = None) -> Path:
        """Writes a trained network as `model.onnx`, checked against torch, with `use.py`, which runs it; gives their folder.

        Args:
            name: its name in the report.
            seed: the number of its training; as for `network`.
            out: folder to write; `exported/NAME-SEED` in the run's by default.

        Raises:
            UserError: as for `network`; or a package for it is missing, or the network cannot be written as ONNX.
        """
        from common.stages.reload import export_retrained, reload

        return export_retrained(self.path, reload(self.path, self.build, self.space), name, self._seed(name, seed), out)[0]

    def arch(self, name: str = "searched") -> Labels:
        """Decision -> option of a network that was trained alone.

        Raises:
            UserError: the run has no such network.
        """
        return self._row(name).arch

    def description(self, name: str = "searched") -> Any:
        """The description of a network that was trained alone: what its build function takes, without open decisions.

        Args:
            name: its name in the report: `searched`, `random 1`, `baseline`, ...

        Raises:
            UserError: the run has no such network, or the build function of an own network is missing.
        """
        from common.arch import from_labels
        from common.space import decode
        from common.stages.reload import reload

        reloaded = reload(self.path, self.build, self.space)
        arch = from_labels(reloaded.space, self.arch(name), str(self.path / "retrained.jsonl"))
        return reloaded.networks.alone(decode(reloaded.space, arch))

    def cost(self, name: str = "searched") -> Numbers:
        """Parameters, multiply-adds, ... of a network that was trained alone.

        Raises:
            UserError: the run has no such network.
        """
        return self._row(name).cost

    def report(self) -> Path:
        """Writes `report.html` anew from the files of the run, and gives its path.

        Raises:
            UserError: the folder cannot be written.
        """
        from common.run.report import write_report

        return write_report(self.path)

    def _seed(self, name: str, seed: int | None) -> int:
        if seed is not None:
            return seed
        return int(self.best().seed) if name == "searched" else 0

    def _row(self, name: str) -> RetrainedRow:
        rows = self.retrained()
        row = next((row for row in rows if row.name == name), None)
        if row is None:
            known = ", ".join(dict.fromkeys(repr(row.name) for row in rows)) or "none yet"
            hint = how_to_go_on(self.path)
            raise UserError(f"{self.path}: no network {name!r} was trained; there is {known}{hint and f'; {hint}'}")
        return row

    def _loaded(self, needed: str = "") -> Loaded:
        """What the folder holds; a report leaves damaged lines out and says so, a reader that needs the file is refused."""
        loaded = read_run(self.path)
        for damage in loaded.damage:
            if needed and damage.startswith(f"{needed}:"):
                raise UserError(
                    f"{self.path / needed}: {damage.partition(': ')[2]}; restore the file, or take the rows of the report"
                )
        return loaded


def _known(of: str) -> None:
    if of not in FILES:
        raise UserError(f"trials of {of!r}: give 'search' or 'random'")


def _columns(prefix: str, values: Labels | Numbers) -> dict[str, Any]:
    return {f"{prefix}.{name}": value for name, value in values.items()}


def _frame(rows: Any) -> DataFrame:
    try:
        import pandas
    except ImportError:
        raise UserError("a frame needs the package pandas: pip install 'tasknas[frames]'; rows need none") from None
    return pandas.DataFrame(list(rows))

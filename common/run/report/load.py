"""Read a run folder's files into plain values; nothing here writes, and no torch is needed.

A report is wanted most when a run went wrong, so everything but `config.json` may be missing or cut off: what cannot
be read is left out and named in `Run.damage`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import Any

from common.errors import UserError, cut
from common.json_text import NotJson, parse

Numbers = Mapping[str, float]
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """An objective as `config.json` names it."""

    name: str
    maximise: bool
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A hard constraint on one metric; an open side is None."""

    metric: str
    upper: float | None
    lower: float | None

    def holds(self, values: Numbers) -> bool:
        """True where the metric is known and inside the limit."""
        value = values.get(self.metric)
        if value is None:
            return False
        return (self.upper is None or value <= self.upper) and (self.lower is None or value >= self.lower)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What was asked for, and on which machine."""

    system: str
    title: str
    paper: str
    task: str
    recipe: str
    seed: str
    command: str
    settings: Mapping[str, Any]
    goals: tuple[Goal, ...]
    limits: tuple[Limit, ...]
    reward: str = ""
    """Expression that the search maximised in place of the first goal; empty without one."""
    environment: Mapping[str, Any]
    data: Mapping[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One finished stage and its wall-clock in seconds."""

    name: str
    seconds: float
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """One evaluated candidate of a search."""

    id: str
    arch: Labels
    scores: Numbers
    cost: Numbers
    fidelity: str
    seconds: float
    ok: bool
    origin: str
    error: str

    def value(self, name: str) -> float | None:
        """The score or cost called `name`, None where the trial has neither."""
        return self.scores.get(name, self.cost.get(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """Values logged at one training step of a stage."""

    stage: str
    step: float
    values: Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainedRow:
    """One network trained alone: its scores by split, and what it costs; no scores but an `error` where it failed."""

    name: str
    kind: str
    seed: str
    arch: Labels
    inherited: Numbers
    val: Numbers
    test: Numbers
    cost: Numbers
    seconds: float
    error: str
    start: str = ""
    """Which of the run's weights it began with; empty where it began anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """One picture of predictions; `path` is None where the picture is missing or is no picture."""

    file: str
    caption: str
    path: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TileRow:
    """A figure of the system's own for the head of the report: its value, what it is, and of what."""

    value: str
    name: str
    of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything a report may tell about a run."""

    path: Path
    config: Config
    fingerprint: str
    decisions: Mapping[str, tuple[str, ...]]
    strengths: Mapping[str, tuple[float, ...]]
    stages: tuple[StageRow, ...]
    trials: tuple[TrialRow, ...]
    random: tuple[TrialRow, ...]
    metrics: tuple[MetricRow, ...]
    retrained: tuple[RetrainedRow, ...]
    samples: tuple[SampleRow, ...]
    tiles: tuple[TileRow, ...]
    best_arch: Labels
    best_metrics: Mapping[str, Any]
    drawing: str | None
    damage: tuple[str, ...]


def read_run(path: Path) -> Run:
    """Read the run in folder `path`.

    Raises:
        UserError: the folder has no readable `config.json`, so it is no run folder.
    """
    config = _config(path)
    damage: list[str] = []
    space = _mapping(_json(path / "space.json", damage))
    labels = {
        str(key): tuple(str(label) for label in value) if isinstance(value, list) else ()
        for key, value in _mapping(space.get("decisions")).items()
    }
    drawing = path / "drawing.svg"
    return Run(
        path=path,
        config=config,
        fingerprint=str(space.get("fingerprint", "")),
        decisions=labels,
        strengths=_strengths(_json(path / "strengths.json", damage)) if (path / "strengths.json").is_file() else {},
        stages=tuple(_stage(row) for row in _rows(path / "stages.jsonl", damage)),
        trials=tuple(_trial(row) for row in _rows(path / "trials.jsonl", damage)),
        random=tuple(_trial(row) for row in _rows(path / "random.jsonl", damage)),
        metrics=tuple(_metric(row) for row in _rows(path / "metrics.jsonl", damage)),
        retrained=tuple(_retrained(row) for row in _rows(path / "retrained.jsonl", damage)),
        samples=tuple(_samples(path, damage)),
        tiles=tuple(_tile(row) for row in _dicts(_json(path / "tiles.json", damage)) if row.get("value")),
        best_arch=_arch(_json(path / "best" / "arch.json", damage)),
        best_metrics=_mapping(_json(path / "best" / "metrics.json", damage)),
        drawing=drawing.read_text(encoding="utf-8", errors="replace") if drawing.is_file() else None,
        damage=tuple(damage),
    )


def _config(path: Path) -> Config:
    file = path / "config.json"
    remedy = "give the folder that a run wrote (the one holding config.json)"
    if not file.is_file():
        raise UserError(f"{file}: a run folder holds this file and it is missing; {remedy}")
    try:
        data = parse(file.read_bytes())
    except (NotJson, OSError) as error:
        raise UserError(f"{file}: must be JSON and is not ({error}); {remedy}") from error
    if not isinstance(data, dict):
        raise UserError(f"{file}: must hold one JSON object; {remedy}")
    return Config(
        system=str(data.get("system", path.name)),
        title=str(data.get("title") or data.get("system") or path.name),
        paper=str(data.get("paper") or ""),
        task=str(data.get("task") or ""),
        recipe=str(data.get("recipe") or ""),
        seed=str(data.get("seed", "")),
        command=str(data.get("command") or ""),
        settings=_mapping(data.get("settings")),
        goals=tuple(
            Goal(name=str(goal["name"]), maximise=goal.get("direction", "max") != "min", unit=str(goal.get("unit") or ""))
            for goal in _dicts(data.get("objectives"))
            if "name" in goal
        ),
        limits=tuple(
            Limit(metric=str(limit["metric"]), upper=_number(limit.get("upper")), lower=_number(limit.get("lower")))
            for limit in _dicts(data.get("constraints"))
            if "metric" in limit
        ),
        reward=str(data.get("reward") or ""),
        environment=_mapping(data.get("environment")),
        data=_mapping(data.get("data")),
        notes=tuple(str(note) for note in _list(data.get("notes"))),
    )


def _stage(row: Mapping[str, Any]) -> StageRow:
    return StageRow(name=str(row.get("stage", "?")), seconds=_seconds(row), result=_mapping(row.get("result")))


def _trial(row: Mapping[str, Any]) -> TrialRow:
    return TrialRow(
        id=str(row.get("id", "?")),
        arch=_labels(row.get("arch")),
        scores=_numbers(row.get("scores")),
        cost=_numbers(row.get("cost")),
        fidelity=intern(str(row.get("fidelity", ""))),
        seconds=_seconds(row),
        ok=row.get("status") == "ok",
        origin=intern(str(row.get("origin", ""))),
        error=str(row.get("error") or ""),
    )


def _metric(row: Mapping[str, Any]) -> MetricRow:
    return MetricRow(stage=str(row.get("stage", "?")), step=_number(row.get("step")) or 0.0, values=_numbers(row.get("values")))


def _retrained(row: Mapping[str, Any]) -> RetrainedRow:
    return RetrainedRow(
        name=str(row.get("name", "?")),
        kind=str(row.get("kind", "?")),
        seed=str(row.get("seed", "")),
        arch=_labels(row.get("arch")),
        inherited=_numbers(row.get("inherited")),
        val=_numbers(row.get("val")),
        test=_numbers(row.get("test")),
        cost=_numbers(row.get("cost")),
        seconds=_seconds(row),
        error=str(row.get("error") or ""),
        start=str(row.get("start") or ""),
    )


def _tile(row: Mapping[str, Any]) -> TileRow:
    return TileRow(value=str(row.get("value") or ""), name=str(row.get("name") or ""), of=str(row.get("of") or ""))


def _samples(path: Path, damage: list[str]) -> Iterator[SampleRow]:
    folder = path / "samples"
    index = folder / "samples.json"
    if not index.is_file():
        index = path / "samples.json"
    pictures = {entry.name: entry for entry in folder.iterdir() if entry.is_file()} if folder.is_dir() else {}
    for row in _dicts(_json(index, damage)):
        name = str(row.get("file", ""))
        picture = pictures.get(name)  # an index must not pull in files from elsewhere
        if picture is None:
            damage.append(f"samples/{cut(name)}: named in samples.json and not in the folder")
        yield SampleRow(file=name, caption=str(row.get("caption") or ""), path=picture)


def _json(file: Path, damage: list[str]) -> object:
    if not file.is_file():
        return None
    try:
        return parse(file.read_bytes())
    except (NotJson, OSError):
        damage.append(f"{file.name}: not readable as JSON, left out")
        return None


def _rows(file: Path, damage: list[str]) -> Iterator[Mapping[str, Any]]:
    if not file.is_file():
        return
    bad = 0
    with file.open("rb") as lines:  # a line at a time: a long search writes hundreds of megabytes
        for line in lines:
            if not line.strip():
                continue
            try:
                row = parse(line)
            except NotJson:
                bad += 1
                continue
            if isinstance(row, dict):
                yield row
            else:
                bad += 1
    if bad:
        damage.append(f"{file.name}: {bad} damaged {'line' if bad == 1 else 'lines'} left out")


def _mapping(value: object) -> Mapping[str, Any]:
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> Sequence[Mapping[str, Any]]:
    return [item for item in _list(value) if isinstance(item, dict)]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        return None
    return float(value)


def _numbers(value: object) -> Numbers:
    pairs = ((key, _number(item)) for key, item in _mapping(value).items())
    return {intern(key): number for key, number in pairs if number is not None}


def _strengths(value: object) -> Mapping[str, tuple[float, ...]]:
    lists = {str(path): [_number(item) for item in _list(values)] for path, values in _mapping(value).items()}
    return {path: tuple(item for item in items if item is not None) for path, items in lists.items() if None not in items}


def _seconds(row: Mapping[str, Any]) -> float:
    return _number(row.get("seconds")) or 0.0


def _labels(value: object) -> Labels:
    return {
        intern(key): intern(", ".join(str(part) for part in item) if isinstance(item, list) else str(item))
        for key, item in _mapping(value).items()
    }


def _arch(value: object) -> Labels:
    """The path -> label part of an arch file, whatever key it lies under."""
    data = _mapping(value)
    for key in ("arch", "decisions", "choices", "options"):
        if isinstance(data.get(key), dict):
            return _labels(data[key])
    return {}

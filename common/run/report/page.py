"""Everything the template shows, worked out; the template itself only lays out."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from common.run.digests import damaged_weights
from common.run.report import plots
from common.run.report.decisions import decided, mattered
from common.run.report.drawing import Drawing, draw, sanitise
from common.run.report.figures import best_so_far, difference
from common.run.report.findings import Axis, Finding, Team, at_equal_cost, axis, findings, search_axis, split, teams
from common.run.report.load import Run, SampleRow, TrialRow, read_run
from common.run.report.plots import Plot
from common.run.report.text import DASH, column, count, duration, flat, mean_sd, number, quantity, signed

_BEST = 10
_WIDEST = 12
_MOST_ROWS = 200
_PICTURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}
_LARGEST = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Option counts of decisions with the same options: rows of (path, [(count, share, chosen)])."""

    labels: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[int, float, bool], ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Column heads with a flag for numbers, and rows of text."""

    heads: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[str, ...], ...]
    cut: str = ""
    """What is said of rows that are left out; empty where all are there."""

    def shortened(self, files: str) -> Table:
        """The table with its first `_MOST_ROWS` rows alone, and a line that counts the others and names their files."""
        if len(self.rows) <= _MOST_ROWS:
            return self
        cut = f"{_MOST_ROWS:,} of {len(self.rows):,} rows are shown; {files} has all."
        return replace(self, rows=self.rows[:_MOST_ROWS], cut=cut)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A line of the cost table: `share` of the whole time is in 0..1."""

    name: str
    time: str
    share: float
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A sample as a data URI, or None with the caption still told; `wide` for a strip of pictures."""

    uri: str | None
    file: str
    caption: str
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The whole report."""

    title: str
    system: str
    task: str
    paper: str
    paper_url: str
    command: str
    facts: tuple[tuple[str, str], ...]
    tiles: tuple[tuple[str, str, str, str], ...]
    findings: tuple[Finding, ...]
    lead: tuple[Plot, ...]
    stages: tuple[Stage, ...]
    total: str
    search: tuple[Plot, ...]
    monitors: tuple[Plot, ...]
    searching: bool
    losses: tuple[Plot, ...]
    drawing: Drawing | None
    drawing_svg: Markup | None
    drawing_of: str
    grids: tuple[Grid, ...]
    grid_of: int
    retrained: Table | None
    retrained_how: tuple[str, str]
    ranking: Plot | None
    summary: Table | None
    pictures: tuple[Picture, ...]
    best: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]
    failures: Table | None
    notes: tuple[str, ...]
    damage: tuple[str, ...]


def render(folder: Path) -> str:
    """The report of run folder `folder` as HTML text."""
    text = _template().render(page=page(read_run(folder)))
    return text.encode("utf-8", errors="replace").decode("utf-8")  # a lone surrogate in a file must not stop a report


@cache  # compiled once in a process
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html")


def page(run: Run) -> Page:
    """Work out every number and picture of a run's report."""
    config, known = run.config, axis(run)
    sought = search_axis(run, known) if known else None
    sides = teams(run, known) if known else ()
    arch, drawing_of = _found(run, sought)
    svg = sanitise(run.drawing) if run.drawing else None
    broken = ("drawing.svg: not well-formed SVG, drawn from the decisions instead",) if run.drawing and not svg else ()
    grids, grid_of = _grids(run, sought, arch)
    paper, url = _paper(config.paper)
    total = sum(stage.seconds for stage in run.stages)
    lead = (plots.seeds(run, known, sides), *plots.costs(run, known)) if known else ()
    return Page(
        title=config.title,
        system=config.system,
        task=config.task,
        paper=paper,
        paper_url=url,
        command=config.command,
        facts=_facts(run, total),
        tiles=_tiles(run, known, sides, total),
        findings=tuple(findings(run, known)) if known else (),
        lead=tuple(plot for plot in lead if plot),
        stages=tuple(
            Stage(
                name=stage.name,
                time=duration(stage.seconds),
                share=stage.seconds / total if total else 0.0,
                result=", ".join(f"{key} {value}" for key, value in _short(stage.result)),
            )
            for stage in run.stages
        ),
        total=duration(total),
        search=(*plots.search(run, sought), *mattered(run, sought)) if sought else (),
        monitors=(*plots.monitors(run), *decided(run)),
        searching=not (run.trials or run.random or run.retrained),
        losses=tuple(plots.losses(run)),
        drawing=draw(arch, run.decisions) if arch else None,
        drawing_svg=svg,
        drawing_of=drawing_of,
        grids=grids,
        grid_of=grid_of,
        retrained=_retrained_table(run, known),
        retrained_how=_retrained_how(run),
        ranking=plots.ranking(run, known) if known else None,
        summary=_summary(run, known, sides) if known else None,
        pictures=tuple(_picture(sample) for sample in run.samples),
        best=tuple(_short(run.best_metrics)),
        settings=tuple(flat(config.settings)),
        data=tuple(flat(config.data)),
        environment=tuple(flat(config.environment)),
        failures=_failures(run),
        notes=(*config.notes, *(str(stage.result["note"]) for stage in run.stages if stage.result.get("note"))),
        damage=(*run.damage, *broken, *damaged_weights(run.path)),
    )


def _paper(paper: str) -> tuple[str, str]:
    """The paper's name and a link to it: arXiv numbers become links, other text only if it is a web address."""
    if paper.lower().startswith("arxiv:"):
        return f"arXiv:{paper[6:].strip()}", f"https://arxiv.org/abs/{paper[6:].strip()}"
    return paper, paper if paper.startswith(("https://", "http://")) else ""


def _facts(run: Run, total: float) -> tuple[tuple[str, str], ...]:
    config, environment = run.config, run.config.environment

    date = next((str(environment[name]) for name in ("date", "started") if environment.get(name)), "")
    facts = (
        ("Recipe", config.recipe),
        ("Seed", config.seed),
        ("Reward of the search", config.reward),
        ("Date", date),
        ("Machine", _machine(environment.get("machine"))),
        ("Wall-clock", duration(total) if run.stages else ""),
    )
    return tuple((name, text) for name, text in facts if text)


def _machine(value: object) -> str:
    """The machine in a few words, from a text or from the parts that `common.run.environment` records."""
    if not isinstance(value, Mapping):
        return str(value or "")
    gpus, cores, memory = value.get("gpus"), value.get("cores"), value.get("memory_gib")
    parts = [
        ", ".join(str(gpu) for gpu in gpus) if isinstance(gpus, list) else "",
        str(value.get("cpu") or value.get("system") or ""),
        count(cores, "core") if isinstance(cores, int) else "",
        f"{number(memory)} GiB" if isinstance(memory, int | float) else "",
    ]
    return ", ".join(part for part in parts if part)


def _tiles(run: Run, known: Axis | None, sides: Sequence[Team], total: float) -> tuple[tuple[str, str, str, str], ...]:
    tiles: list[tuple[str, str, str, str]] = []
    mine = next((side for side in sides if side.kind == "searched"), None)
    if known and mine:
        where = split(run, known.score.name)
        value, _, margin = mean_sd(mine.summary).partition(" ± ")
        tiles.append((value, margin, f"{where} {known.score.name}", f"searched network, {mine.sample}"))
        if mine.cost is not None and known.cost:
            tiles.append((number(mine.cost), "", known.cost.unit or known.cost.name, "of the searched network"))
    elif known and run.trials:
        sought = search_axis(run, known)
        best = best_so_far([sought.score_of(trial) for trial in run.trials], sought.score.maximise)[-1]
        tiles.append((quantity(best, sought.score.unit), "", f"best {sought.score.name} so far", "during the search"))
    if at_equal_cost(run):
        tiles.append((str(len(run.random)), "", "random trials", "at the cost of the search"))
    if run.trials or (run.random and not at_equal_cost(run)):  # a differentiable search makes none
        beside = "in the search" if not run.random or at_equal_cost(run) else f"and {count(len(run.random), 'random one')}"
        tiles.append((str(len(run.trials)), "", "trials", beside))
    tiles += [(tile.value, "", tile.name, tile.of) for tile in run.tiles]
    tiles.append((duration(total), "", "in all", f"{count(len(run.stages), 'stage')} finished"))
    return tuple(tiles)


def _found(run: Run, known: Axis | None) -> tuple[Mapping[str, str], str]:
    """The architecture to draw and what it is."""
    if run.best_arch:
        return run.best_arch, "The architecture the search settled on."
    searched = next((row for row in run.retrained if row.kind == "searched" and row.arch), None)
    if searched:
        return searched.arch, "The architecture the search settled on."
    best = _ranked(run, known)
    return (best[0].arch, f"The best of the trials so far (trial {best[0].id}).") if best else ({}, "")


def _ranked(run: Run, known: Axis | None) -> list[TrialRow]:
    """The `_BEST` best feasible trials, from best to worst, each architecture once."""
    if known is None:
        return []
    sign = -1.0 if known.score.maximise else 1.0
    scored = [(sign * value, trial) for trial in run.trials if (value := known.score_of(trial)) is not None]
    unique: dict[tuple[tuple[str, str], ...], TrialRow] = {}
    for _, trial in sorted(scored, key=lambda item: item[0]):
        unique.setdefault(tuple(sorted(trial.arch.items())), trial)
        if len(unique) == _BEST:
            break
    return list(unique.values())


def _grids(run: Run, known: Axis | None, chosen: Mapping[str, str]) -> tuple[tuple[Grid, ...], int]:
    """Options taken by the best trials; decisions with many options (subsets) show only those that occur."""
    best = _ranked(run, known)[:_BEST]
    grouped: dict[tuple[str, ...], list[str]] = {}
    paths = dict.fromkeys((*run.decisions, *(path for trial in best for path in trial.arch)))
    for path in paths:
        taken = {trial.arch[path] for trial in best if path in trial.arch}
        if not taken:
            continue
        options = run.decisions.get(path, ())
        if not options or len(options) > _WIDEST:
            options = tuple(option for option in options if option in taken) or tuple(sorted(taken))
        grouped.setdefault(options, []).append(path)
    grids = []
    for labels, members in grouped.items():
        rows = []
        for path in members:
            takes = [trial.arch[path] for trial in best if path in trial.arch]
            cells = [(takes.count(label), takes.count(label) / len(takes), chosen.get(path) == label) for label in labels]
            rows.append((path, tuple(cells)))
        grids.append(Grid(labels=labels, rows=tuple(rows)))
    return tuple(grids), len(best)


def _summary(run: Run, known: Axis, sides: Sequence[Team]) -> Table | None:
    """One line a team, with its distance from the searched network (the first, where there are several)."""
    if not sides:
        return None
    mine = next((side for side in sides if side.kind == "searched"), None)
    heads = [("network", False), ("over", False), (f"{split(run, known.score.name)} {known.score.name}", True)]
    heads += [(known.cost.unit or known.cost.name, True)] if known.cost else []
    heads += [("difference", True)] if mine else []
    rows = []
    for side in sides:
        row = [side.label, side.sample, mean_sd(side.summary)]
        row += [number(side.cost)] if known.cost else []
        if mine:
            gap = difference(mine.summary, side.summary)
            row += [DASH if side is mine else f"{'−' if gap.value < 0 else '+'}{signed(gap)}"]
        rows.append(tuple(row))
    return Table(heads=tuple(heads), rows=tuple(rows))


def _retrained_table(run: Run, known: Axis | None) -> Table | None:
    if not run.retrained:
        return None
    first = [known.score.name] if known else []
    parts = ("test", "val", "inherited", "cost")
    order = {"searched": 0, "random": 1, "baseline": 2, "reference": 3}
    columns = [
        (part, name)
        for part in parts
        for name in sorted({name for row in run.retrained for name in getattr(row, part)}, key=lambda n: (n not in first, n))
    ]
    heads = [("network", False), ("kind", False), ("seed", True)]
    heads += [(name if part == "cost" else f"{part} {name}", True) for part, name in columns]
    nets = sorted(run.retrained, key=lambda row: order.get(row.kind, len(order)))
    values = [column([getattr(row, part).get(name) for row in nets]) for part, name in columns]
    rows = [
        (row.name, row.kind, row.seed, *(texts[index] for texts in values), duration(row.seconds))
        for index, row in enumerate(nets)
    ]
    return Table(heads=(*heads, ("training", True)), rows=tuple(rows)).shortened("retrained.jsonl")


def _retrained_how(run: Run) -> tuple[str, str]:
    """Heading and lede of the networks trained alone."""
    if any(row.start for row in run.retrained):
        return "Trained alone", "The same training for every network; those of the search's space begin with shared weights."
    return "Retrained from scratch", "The same training for every network, without a weight of the search."


def _failures(run: Run) -> Table | None:
    failed = [
        (name, trial) for name, rows in (("search", run.trials), ("random search", run.random)) for trial in rows if not trial.ok
    ]
    rows = tuple(
        (name, trial.id, trial.origin or DASH, trial.error or "no reason recorded", duration(trial.seconds))
        for name, trial in failed
    )
    rows += tuple((row.name, row.seed, row.kind, row.error, duration(row.seconds)) for row in run.retrained if row.error)
    if not rows:
        return None
    heads = (("of", False), ("trial or seed", True), ("origin", False), ("reason", False), ("time", True))
    return Table(heads=heads, rows=rows).shortened("trials.jsonl, random.jsonl and retrained.jsonl together")


def _picture(sample: SampleRow) -> Picture:
    caption = sample.caption or sample.file
    if sample.path is None or sample.path.stat().st_size > _LARGEST:
        return Picture(uri=None, file=sample.file, caption=caption)
    data = sample.path.read_bytes()
    kind = next((kind for magic, kind in _PICTURES.items() if data.startswith(magic)), None)
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode()}" if kind else None
    return Picture(uri=uri, file=sample.file, caption=caption, wide=_wide(data))


def _wide(data: bytes) -> bool:
    """Whether a PNG file is of a strip: its header says more than twice as wide as high."""
    width, height = (int.from_bytes(data[i : i + 4], "big") for i in (16, 20))
    return data.startswith(b"\x89PNG") and width > 2 * height


def _short(values: Mapping[str, object]) -> list[tuple[str, str]]:
    """Numbers and short texts of a result; architectures (the page draws them), long lists and texts stay in their files."""
    rows = []
    texts = [
        key for key, v in values.items() if isinstance(v, Mapping) and not all(isinstance(x, int | float) for x in v.values())
    ]
    for key, text in flat({key: value for key, value in values.items() if key not in texts}):
        value: object = values.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            rows.append((key, number(float(value))))
        elif len(text) <= 60:
            rows.append((key, text))
    return rows

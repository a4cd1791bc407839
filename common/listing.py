"""What is written about systems and engines from their declarations: make targets, the README's table, docs/engines.md.

A test compares the files with what is made here; `python -m common.cli list --write` brings them up to date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

from common.engines import AnyEngine, Gradient
from common.errors import UserError
from common.evaluate.settings import Evaluation
from common.overrides import plain
from common.stages.settings import impossible
from common.system import Method, System, systems_of, task_packages

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- systems: made by `python -m common.cli list --write` -->", "<!-- end of systems -->"
TASK_NAMES = {
    "binary": "binary networks",
    "classification": "image classification",
    "detection": "object detection",
    "gan": "image-to-image translation",
    "graphs": "node classification",
    "segmentation": "semantic segmentation",
    "superres": "super-resolution",
}
"""Task package -> what people call the task."""


def every_method() -> Iterator[tuple[str, System, Method]]:
    """Task, system and method of every command."""
    for task in task_packages():
        for system in systems_of(task):
            for method in system.methods:
                yield task, system, method


def make_targets() -> str:
    """The text of systems.mk: a target for every method, and one for its smoke recipe."""
    methods = list(every_method())
    names = [method.name for _, _, method in methods]
    lines = [
        "# Made by `python -m common.cli list --write`: a target for every method of every system.",
        ".PHONY: " + " ".join([*names, *(f"{name}-smoke" for name in names)]),
    ]
    for task, _, method in methods:
        lines += [
            "",
            f"{method.name}: $(VENV)/.ready ## {method.title}, {TASK_NAMES[task]} (RECIPE=small DATA=folder OUT=folder ARGS=...)",
            f"\t@$(BIN)/python -m {task}.train {method.name} $(OPTIONS)",
        ]
    smoke = " ".join(f"{name}-smoke" for name in names)
    return "\n".join([*lines, "", f"{smoke}: RECIPE = smoke", f"{smoke}: %-smoke: %", ""])


def systems_table(program: str) -> str:
    """A table of systems, a row for every method.

    Args:
        program: what runs a method by its name: `make` in a source tree, `tasknas` where the project is installed.
    """
    rows = ["| system | task | paper | run it |", "|---|---|---|---|"]
    for task, _, method in every_method():
        paper = f"[{method.authors}]({method.paper.replace('arXiv:', 'https://arxiv.org/abs/')})"
        rows.append(f"| {method.title} | {TASK_NAMES[task]} | {paper} | `{program} {method.name}` |")
    return "\n".join(rows)


def with_systems(readme: str) -> str:
    """The README with its table brought up to date."""
    table = systems_table("make")
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    assert pattern.search(readme), f"README.md has no lines {BEGIN!r} and {END!r}"
    return pattern.sub(lambda _: f"{BEGIN}\n{table}\n{END}", readme)


def engine_kinds() -> tuple[type[Any], ...]:
    """Settings of every engine."""
    return _members(AnyEngine)


def evaluation_kinds() -> tuple[type[Any], ...]:
    """Settings of every evaluation."""
    return _members(Evaluation)


def compatibility() -> dict[tuple[str, str], str]:
    """(engine, evaluation) -> why the engine cannot be used with the evaluation; empty if it can."""
    found: dict[tuple[str, str], str] = {}
    for engine in engine_kinds():
        for evaluation in evaluation_kinds():
            one, other = engine(), evaluation()
            found[one.name, other.name] = "evaluates no candidates" if engine is Gradient else impossible(one, other)
    return found


def settings_summary() -> str:
    """Every engine and evaluation with the names and defaults of its settings, a line each, for `--help`."""

    def line(kind: type[Any]) -> str:
        known = [(field.name, _default(field)) for field in fields(kind) if field.name != "name"]
        return f"  {kind().name}{':' if known else ''} {', '.join(f'{name}={default}' for name, default in known)}".rstrip()

    engines, evaluations = map(line, engine_kinds()), map(line, evaluation_kinds())
    return "\n".join(
        [
            "Engines (--set search.engine=NAME search.engine.SETTING=VALUE):",
            *engines,
            "",
            "Evaluations (--set search.evaluation=NAME search.evaluation.SETTING=VALUE):",
            *evaluations,
        ]
    )


def engines_text() -> str:
    """Every engine and evaluation with its settings, as plain text for a terminal."""
    lines = ["Engines: --set search.engine=NAME search.engine.SETTING=VALUE", ""]
    for kind in engine_kinds():
        one = kind()
        lines += [f"{one.name}  {one.title} ({one.paper})", f"    {_first_line(kind)}", *_settings(kind), ""]
    lines += ["Evaluations: --set search.evaluation=NAME search.evaluation.SETTING=VALUE", ""]
    for kind in evaluation_kinds():
        lines += [kind().name, f"    {_first_line(kind)}", *_settings(kind), ""]
    return "\n".join(lines)


def engines_page() -> str:
    """The text of docs/engines.md."""
    evaluations = [kind().name for kind in evaluation_kinds()]
    known = compatibility()
    parts = [
        "# Search engines and evaluations",
        "",
        "<!-- made by `python -m common.cli list --write` -->",
        "",
        "An **engine** proposes architectures; an **evaluation** scores them. Every run can be told both:",
        "",
        "```",
        'make detnas ARGS="--set search.engine=nsga2 search.engine.population=20 search.evaluation=scratch search.trials=60"',
        "```",
        "",
        "`tasknas engines` prints this page's settings in a terminal.",
        "",
        "## Which engine serves which evaluation",
        "",
        f"| engine | {' | '.join(evaluations)} |",
        f"|---|{'---|' * len(evaluations)}",
    ]
    for kind in engine_kinds():
        name = kind().name
        cells = ["yes" if not known[name, other] else "no" for other in evaluations]
        parts.append(f"| `{name}` | {' | '.join(cells if kind is not Gradient else ['–'] * len(cells))} |")
    parts += [
        "",
        "`halving` and `econas` evaluate candidates at several shares of the training budget, which only trainings have. "
        "`gradient` evaluates no candidates: it trains weights and architecture together, so that `search.evaluation` has no "
        "effect. `pnas` needs an order of the decisions: DetNAS, PDNAS and GAN Compression declare one; for others give "
        "`search.engine.groups`. `exhaustive` refuses spaces of more than 100,000 architectures. `inherited` needs a system that "
        "trains a supernet. `controller` trains a supernet too, whatever scores its candidates, by the two phases that "
        "`gradient` takes.",
        "",
        "`nsga2` follows all objectives and gives a front; the others follow the first objective, or `search.reward`. The second "
        "objective is a cost that the task chooses, multiply-adds mostly. `search.cost` names another one, any that a budget can "
        "name:",
        "",
        "```",
        'make detnas ARGS="--set search.engine=nsga2 search.cost=params"',
        'make detnas ARGS="--set search.engine=nsga2 latency=runs/mine/latency.json search.cost=latency"',
        "```",
        "",
        "Whichever the engine, the report draws scores against that cost, and against the latency as well where a run has a "
        "latency table, which `tasknas latency-table runs/mine` measures.",
        "",
        "The weightings, gradient rules, ways to drop options and stop rules of `gradient`, and the methods that are settings of "
        "it (SDARTS-RS, OLES, DARTS-PT, DrNAS, ReinMax), are on a [page of their own](differentiable.md).",
        "",
        "## A reward from scores and costs",
        "",
        "`--set 'search.reward=accuracy * (300e6 / macs) ** 0.07'` makes the search maximise this expression in place of the "
        "first objective. Names are scores and costs of the task; there are `+ - * / **`, parentheses, `min`, `max`, `abs`, "
        "`sqrt`, `exp` and `log`. The reward is a score of every trial and is shown in the report; networks are retrained and "
        "compared by the task's own objective.",
        "",
        "## Engines",
        "",
    ]
    for kind in engine_kinds():
        one = kind()
        paper = f"https://arxiv.org/abs/{one.paper[6:]}" if one.paper.startswith("arXiv:") else one.paper
        parts += [f"### `{one.name}`: {one.title} ([{one.paper}]({paper}))", "", _first_line(kind), "", *_rows(kind), ""]
    parts += ["## Evaluations", ""]
    for kind in evaluation_kinds():
        parts += [f"### `{kind().name}`", "", _first_line(kind), "", *_rows(kind), ""]
    return "\n".join(parts)


def write() -> list[Path]:
    """Brings every file up to date; gives those that changed.

    Raises:
        UserError: this is no source tree.
    """
    readme = ROOT / "README.md"
    if not readme.is_file():
        raise UserError(f"list --write: {ROOT} is no source tree (it has no README.md); leave --write out, or run it in a clone")
    texts = {
        ROOT / "systems.mk": make_targets(),
        readme: with_systems(readme.read_text(encoding="utf-8")),
        ROOT / "docs" / "engines.md": engines_page(),
    }
    changed = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in changed:
        path.write_text(texts[path], encoding="utf-8")
    return changed


def _members(union: Any) -> tuple[type[Any], ...]:
    return tuple(inner for member in get_args(union) for inner in (_members(member) or (member,)))


def _first_line(kind: type[Any]) -> str:
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())


def _settings(kind: type[Any]) -> list[str]:
    return [f"    {name} = {default}: {text}" for name, default, text in _described(kind)]


def _rows(kind: type[Any]) -> list[str]:
    rows = [f"| `{name}` | `{default}` | {text.replace('|', chr(92) + '|')} |" for name, default, text in _described(kind)]
    return ["| setting | default | what it is |", "|---|---|---|", *rows] if rows else ["It has no settings."]


def _described(kind: type[Any]) -> Iterator[tuple[str, str, str]]:
    """Name, default and documentation of every setting besides the name."""
    texts = field_texts(kind)
    for field in fields(kind):
        if field.name != "name":
            yield field.name, _default(field), texts.get(field.name, "")


def _default(field: Field[Any]) -> str:
    value = (
        field.default if field.default is not MISSING else field.default_factory() if field.default_factory is not MISSING else ""
    )
    if is_dataclass(value):
        return type(value).__name__
    return str(plain(value)).replace("None", "null")


@cache
def field_texts(kind: type[Any]) -> Mapping[str, str]:
    """Field of a dataclass -> the string below it in the source; of the classes that it extends too."""
    found: dict[str, str] = {}
    for part in reversed(kind.__mro__):
        if is_dataclass(part):
            found |= _own_texts(part)
    return found


def _own_texts(kind: type[Any]) -> dict[str, str]:
    import ast
    import inspect

    (tree,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[ast.unparse(field.target)] = " ".join(str(text.value.value).split())
    return found

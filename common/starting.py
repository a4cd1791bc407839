"""A published system, run from Python: what `python -m TASK.train NAME` does, with the run as result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from common.errors import UserError
from common.options import settings_of
from common.reading import Run
from common.run.folder import holds_run
from common.system import Method, System, systems_of, task_packages


def start(
    method: str,
    *,
    recipe: str = "smoke",
    data: str | Path | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    budget: Sequence[str] = (),
    overrides: Sequence[str] = (),
    resume: bool = False,
    workers: int = 0,
    device: str = "auto",
    quiet: bool = False,
) -> Run:
    """Runs a published method and gives the finished run.

    Args:
        method: name of a command, `detnas` say: a row of the README's table.
        recipe: smoke (embedded data), small (a data folder) or paper (as published).
        data: data folder; none for the embedded data.
        out: folder of the run, new or empty; by default the next free one below runs/.
        seed: of everything random.
        budget: hard limits on costs: `["macs=300e6"]`.
        overrides: other settings by their names in `config.json`: `["search.trials=30"]`.
        resume: go on with the run in `out` if there is one.
        workers: processes that evaluate and train; a script that asks for some must start below `if __name__ == "__main__":`.
        device: cpu, cuda, cuda:1, ...; auto takes a GPU if there is one.
        quiet: print nothing.

    Raises:
        UserError: there is no such method, or a setting or the data cannot be used.
    """
    system, chosen = method_named(method)
    options = system.options(
        recipe=recipe,
        data=None if data is None else str(data),
        out=None if out is None else str(out),
        seed=seed,
        budget=tuple(budget),
        set=tuple(overrides),
        workers=workers,
        device=device,
        quiet=quiet,
    )
    settings = settings_of(chosen.recipes, options)
    settings.data.check()
    from common.stages.run import folder_of, run

    folder = folder_of(options, settings, chosen)
    if holds_run(folder) and not resume:
        raise UserError(f"{folder} holds a run; give resume=True to go on with it, or another out")
    options = replace(options, out=str(folder), resume=holds_run(folder))
    run(system, chosen, settings, options, again=f"run the script again with resume=True and out={str(folder)!r}")
    return Run(folder)


def method_named(name: str) -> tuple[System, Method]:
    """The method of a name among those of every installed task, and its system.

    Raises:
        UserError: there is none; names the nearest.
    """
    known = {
        method.name: (system, method) for task in task_packages() for system in systems_of(task) for method in system.methods
    }
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(sorted(known))}"
        raise UserError(f"no method {name!r}: {hint}")
    return known[name]

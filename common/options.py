"""What every run can be told on its command line, and the settings that follow from it. No torch here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from common.errors import UserError
from common.overrides import override


def without_default(metavar: str) -> Any:
    """How the help shows an option that has no value unless one is given: `--out FOLDER`, and no default behind its text.

    Args:
        metavar: what kind of value the option takes.
    """
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of every run; systems with options of their own extend this class."""

    recipe: str = "smoke"
    """smoke (embedded data, in a minute or two), small (a data folder, about an hour on two cores) or paper (as published)."""
    data: Annotated[str | None, without_default("FOLDER")] = None
    """Data folder; none for the embedded data."""
    out: Annotated[str | None, without_default("FOLDER")] = None
    """Folder of the run, new or empty; by default the next free one below runs/."""
    seed: Annotated[int | None, without_default("INT")] = None
    """Seed of everything random; 0 by default."""
    device: str = "auto"
    """cpu, cuda, cuda:1 ...; auto takes a GPU if there is one."""
    budget: Annotated[tuple[str, ...], without_default("COST=LIMIT ...")] = ()
    """Hard limits on costs, e.g. macs=300e6 params=4e6; replaces the recipe's."""
    workers: Annotated[int | None, without_default("INT")] = None
    """Worker processes for candidates and retraining; by default one a core up to four, none on a GPU; 0 uses this process."""
    resume: bool = False
    """Go on with the run in --out."""
    skip_bad: bool = False
    """Leave damaged files out, and list them, instead of refusing the data."""
    quiet: bool = False
    """Print nothing but the report's path."""
    set: Annotated[tuple[str, ...], without_default("KEY=VALUE ...")] = ()
    """Any other setting by its name in config.json, e.g. retrain.seeds=1 save_every=50. search.engine=NAME and
    search.evaluation=NAME choose how to search; `tasknas engines` lists them with their settings. Without a word, every setting
    is listed."""
    print_config: bool = False
    """Print every setting of this command with its meaning, and stop."""

    def change(self, settings: Any) -> Any:
        """The recipe's settings with what a system's own options change in them; `--set` comes after it."""
        return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeOptions:
    """Options of `describe`; systems with others extend this class."""

    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")]
    """A published name, an architecture file (arch.json), or the paper's own notation."""


def parse_budget(words: Sequence[str]) -> dict[str, float]:
    """`metric=limit` words as a mapping.

    Raises:
        UserError: a word has another form, or the limit is no positive number.
    """
    limits: dict[str, float] = {}
    for word in words:
        metric, _, text = word.partition("=")
        try:
            limit = float(text)
        except ValueError:
            raise UserError(f"budget {word!r}: write metric=number, macs=300e6 say") from None
        if not 0 < limit < float("inf"):
            raise UserError(f"budget {word!r}: the limit must be a positive number")
        limits[metric] = limit
    return limits


def settings_of(recipes: Mapping[str, Callable[[], Any]], options: RunOptions) -> Any:
    """The settings that a command line asks for: a recipe, with what the options say in its place.

    Args:
        recipes: name -> settings, with `data`, `seed` and `budget`.
        options: options of the command line.

    Raises:
        UserError: an unknown recipe, or an option that does not fit it.
    """
    if options.recipe not in recipes:
        raise UserError(f"recipe {options.recipe!r} does not exist; choose one of {', '.join(recipes)}")
    settings = options.change(recipes[options.recipe]())
    data = dataclasses.replace(settings.data, folder=options.data, skip_bad=options.skip_bad)
    settings = dataclasses.replace(settings, data=data)
    if options.seed is not None:
        settings = dataclasses.replace(settings, seed=options.seed)
    try:
        settings = override(settings, options.set)
    except UserError as error:
        hint = "; --print-config lists all settings" if str(error).startswith("--set ") else ""
        raise UserError(f"{error}{hint}") from None
    # last: a setting may bring the cost that a budget names
    return dataclasses.replace(settings, budget=parse_budget(options.budget)) if options.budget else settings

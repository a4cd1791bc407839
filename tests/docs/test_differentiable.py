"""The page on differentiable search names every kind, rule, field and default that there is, and what a weighting reads."""

import json
import re
from dataclasses import MISSING, fields, replace
from typing import get_args

import pytest

from common.differentiable.strategies import weighting_of
from common.engines import Gradient
from common.engines.dropping import (
    AbandonSettings,
    FreezeSettings,
    GrowSettings,
    ProjectSettings,
    PruneSettings,
    ShrinkSettings,
)
from common.engines.gradient import RuleName
from common.engines.weighting import READS, Kind, WeightingSettings
from common.listing import ROOT
from common.overrides import hints_of, plain

PAGE = (ROOT / "docs" / "differentiable.md").read_text(encoding="utf-8")
OTHER = {"temperature": (2.0, 1.5), "noise": (0.5, 0.25), "shape": "exponential", "keep": 0.5, "drawn": "proportional", "kept": 2}
"""Another value of every field of a weighting but its kind."""


def tables(section):
    """Tables below a heading that begins so, each as rows of cells without the head."""
    (text,) = re.findall(rf"^##+ {re.escape(section)}.*?\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    return [[[cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines()[2:]] for block in blocks]


def named(rows):
    return [row[0].strip("` ") for row in rows]


def defaults(kind):
    """Field -> default as the page has it."""
    own = {field.name: field.default for field in fields(kind)}
    return {name: "–" if value is MISSING else f"`{json.dumps(plain(value))}`" for name, value in own.items()}


def is_read(kind, field):
    """Whether another value of the field changes the weighting."""
    base = WeightingSettings(kind=kind, noise=(1.0, 0.1)) if kind == "annealed-gumbel" else WeightingSettings(kind=kind)
    return weighting_of(replace(base, **{field: OTHER[field]})) != weighting_of(base)


def test_every_weighting_is_on_the_page_with_the_fields_that_it_reads():
    kinds = tables("Weightings")[0]
    assert named(kinds) == list(get_args(Kind))
    assert set(OTHER) | {"kind"} == {field.name for field in fields(WeightingSettings)}
    for name, row in zip(named(kinds), kinds, strict=True):
        assert re.findall(r"`(\w+)`", row[-1]) == [field for field in OTHER if is_read(name, field)] == list(READS[name]), name


@pytest.mark.parametrize(
    ("section", "place", "kind"),
    [
        ("Weightings", 1, WeightingSettings),
        ("`search.engine.grow`", 0, GrowSettings),
        ("`search.engine.shrink`", 0, ShrinkSettings),
        ("`search.engine.prune`", 0, PruneSettings),
        ("`search.engine.project`", 0, ProjectSettings),
        ("`search.engine.abandon`", 0, AbandonSettings),
        ("`search.engine.freeze`", 0, FreezeSettings),
    ],
)
def test_every_field_is_on_the_page_with_its_default(section, place, kind):
    assert {row[0].strip("`"): row[1] for row in tables(section)[place]} == defaults(kind)


def test_every_gradient_rule_and_stop_rule_is_on_the_page():
    assert named(tables("Gradient rules")[0]) == list(get_args(RuleName))
    assert named(tables("Stop rules")[0]) == list(get_args(hints_of(Gradient)["stop"]))


@pytest.mark.parametrize("section", ["Penalties", "What is derived"])
def test_settings_of_the_engine_have_the_defaults_of_the_page(section):
    for name, default, *_ in tables(section)[0]:
        field = name.strip("`").removeprefix("search.engine.").partition("=")[0]
        value = plain(getattr(Gradient(), field))
        assert default.strip("`") == (value if isinstance(value, str) else json.dumps(value)), name


def test_every_setting_of_the_engine_is_on_the_page():
    left = {"name", "recompute", "std", "rivals"}  # neither is part of a method
    assert [f.name for f in fields(Gradient) if f.name not in left and not re.search(rf"[.`]{f.name}\b", PAGE)] == []

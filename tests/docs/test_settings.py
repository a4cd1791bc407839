"""The settings reference is true: `--set` takes every name and value on it and gives the recipe, and every setting is on it."""

import importlib.util
import sys
from operator import attrgetter

import pytest

from common.listing import ROOT, every_method
from common.overrides import override, plain


def hook(name):
    """A module of docs/hooks, which is no package."""
    spec = importlib.util.spec_from_file_location(f"docs_hooks_{name}", ROOT / "docs" / "hooks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


settings = hook("settings")
METHODS = [(task, system, method) for task, system, method in every_method()]
RECIPES = [(method, name) for _, _, method in METHODS for name in method.recipes]
CHOICES = ("search.engine", "search.evaluation", "search.engine.derive.evaluation", "space")
"""Settings that are one of several named kinds."""


def _named(made, path):
    return attrgetter(path)(made).name


def leaves(value, name=""):
    """Dotted name of every plain value in settings."""
    if isinstance(value, dict) and value:
        return {inner for key, part in value.items() for inner in leaves(part, f"{name}.{key}" if name else key)}
    return {name}


@pytest.mark.parametrize(("method", "recipe"), RECIPES, ids=lambda word: getattr(word, "name", word))
def test_names_and_values_are_those_that_set_takes(method, recipe):
    made = method.recipes[recipe]()
    rows = [row for row in settings.rows(method) if recipe in row.values]
    wholes = {row.name for row in rows if any(other.name.startswith(f"{row.name}.") for other in rows)}
    choices = [row for row in rows if row.name in CHOICES and hasattr(attrgetter(row.name)(made), "name")]
    words = [f"{row.name}={row.values[recipe]}" for row in rows if row.name not in wholes]
    assert len(words) > 40
    assert override(made, words) == made
    for row in rows:
        if row.name in wholes and row not in choices:  # given as a whole, as JSON
            assert override(made, [f"{row.name}={row.values[recipe]}"]) == made
    for row in choices:  # replaces the recipe's settings of that kind by the defaults
        assert _named(override(made, [f"{row.name}={row.values[recipe]}"]), row.name) == _named(made, row.name)


@pytest.mark.parametrize(("method", "recipe"), RECIPES, ids=lambda word: getattr(word, "name", word))
def test_every_setting_of_a_recipe_is_on_its_page(method, recipe):
    shown = {row.name for row in settings.rows(method) if recipe in row.values}
    labels = {"recipe", "search.engine.derive.engine.name", *(f"{name}.name" for name in CHOICES)}
    missing = leaves(plain(method.recipes[recipe]())) - shown - labels
    assert {name for name in missing if not any(name.startswith(f"{known}.") for known in shown)} == set()


@pytest.mark.parametrize("method", [method for _, _, method in METHODS], ids=lambda method: method.name)
def test_every_setting_says_what_it_is(method):
    assert [row.name for row in settings.rows(method) if not row.text] == []


def test_a_page_has_a_table_for_every_method_and_a_column_for_every_recipe():
    task, system, _ = next(found for found in METHODS if found[1].name == "pdnas")
    page = settings.settings_page(task, system)
    assert [line.split("`")[1] for line in page.splitlines() if line.startswith("## ")] == [m.name for m in system.methods]
    assert page.count("| setting | type | smoke | small | paper | what it is |") == len(system.methods)
    graphnas = page[page.index("## `graphnas`") : page.index("## `evolution`")]
    assert "| `search.engine` |" in graphnas and "`reinforce`" in graphnas
    assert "`weights.optim.lr`" not in graphnas or "`weights.optim.lr`" in page[: page.index("## `graphnas`")]


def test_the_values_of_a_row_are_those_of_the_recipes():
    detnas = next(method for _, _, method in METHODS if method.name == "detnas")
    found = {row.name: row for row in settings.rows(detnas)}
    assert found["search.trials"].values == {name: str(recipe().search.trials) for name, recipe in detnas.recipes.items()}
    assert found["search.engine"].values == dict.fromkeys(detnas.recipes, "topk")
    assert settings._type(found["search.evaluation.images"].kind) == "integer or null"
    assert settings._type(found["head.head_norm"].kind) == "`none` or `separate`"
    assert "paper" not in found["head.stacked_convs"].values, "Faster R-CNN has no stacked convolutions"
    assert found["search"].values == {} and found["search"].text

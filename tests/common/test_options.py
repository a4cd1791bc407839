"""Settings from a command line."""

from dataclasses import dataclass

import pytest

from common.errors import UserError
from common.options import RunOptions, parse_budget, settings_of
from detection.detnas.recipes import RECIPES


def test_budgets():
    assert parse_budget(["macs=300e6", "params=4000000"]) == {"macs": 3e8, "params": 4e6}
    for word in ("macs", "macs=", "macs=0", "macs=inf", "macs=nan", "macs=-1", "macs:3"):
        with pytest.raises(UserError, match=f"^budget '{word}': "):
            parse_budget([word])


@dataclass(frozen=True, slots=True, kw_only=True)
class Quick(RunOptions):
    quick: bool = False

    def change(self, settings):
        return settings if not self.quick else type(settings)(**{**fields(settings), "save_every": 7, "threads": 2})


def fields(settings):
    return {name: getattr(settings, name) for name in type(settings).__dataclass_fields__}


def test_options_come_in_the_place_of_the_recipes_and_overrides_last():
    options = Quick(
        quick=True, data="folder", seed=3, budget=("macs=5e6",), skip_bad=True, set=("threads=1", "search.engine=random")
    )
    settings = settings_of(RECIPES, options)
    assert (settings.recipe, settings.save_every, settings.threads, settings.seed) == ("smoke", 7, 1, 3)
    assert (settings.data.folder, settings.data.skip_bad, settings.budget) == ("folder", True, {"macs": 5e6})
    assert settings.search.engine.name == "random"
    assert settings_of(RECIPES, RunOptions()) == RECIPES["smoke"]()


def test_an_unknown_recipe_is_named():
    with pytest.raises(UserError, match="recipe 'huge' does not exist; choose one of smoke, small, paper"):
        settings_of(RECIPES, RunOptions(recipe="huge"))

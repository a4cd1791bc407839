"""The recipes as data, and the paper's run for a few steps."""

import json
import math
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.engines import Gradient
from common.engines.weighting import WeightingSettings
from common.errors import UserError
from common.overrides import from_plain, plain
from common.stages.settings import SearchSettings
from segmentation.dcnas.recipes import RECIPES, paper, smoke
from segmentation.dcnas.settings import Settings
from segmentation.dcnas.sizes import SIZES, SpaceSettings
from segmentation.dcnas.space import OPERATORS
from tests.common.run.rows import lines, rows
from tests.segmentation.micro import kill_when, words


def gradient_of(settings: Settings) -> Gradient:
    """The engine of a recipe, which is DCNAS's own."""
    assert isinstance(settings.search.engine, Gradient)
    return settings.search.engine


def changed(**engine: Any) -> SearchSettings:
    """The search of the smoke recipe, its engine with other settings."""
    return replace(smoke().search, engine=replace(gradient_of(smoke()), **engine))


def test_the_paper_recipe_has_the_values_of_the_specification():
    s = paper()
    search = gradient_of(s)
    net = s.space.open()
    assert max(cell.layer for cell in net.cells.values()) == 14 and {c.stride for c in net.cells.values()} == {4, 8, 16, 32}
    assert (net.width, net.partial) == (64, 4) and net.cells["s4_l1"].op.options == OPERATORS
    assert s.weights.steps == 120 * (1487 // 8) and search.arch.begin * 120 == 30
    optim = s.weights.optim
    assert (optim.name, optim.lr, optim.momentum, optim.weight_decay, optim.schedule) == ("sgd", 0.05, 0.9, 3e-4, "cosine")
    arch = search.arch
    assert (arch.lr, arch.betas, arch.weight_decay) == (3e-4, (0.5, 0.999), 1e-3)
    assert search.rule == "first-order" and search.members is not None and search.members.keep == 0.25
    assert search.entropy > 0 and s.data.crop == (512, 1024) and s.data.scale == (0.5, 2.0)


@pytest.mark.slow
def test_the_paper_recipe_searches(tmp_path):
    """Two steps of the search, one of them of the architecture as well, and two alone; at a sixteenth of the width."""
    data = ["data.crop=[64,64]", "data.train=6", "data.val=2", "data.test=2"]
    steps = ["weights.steps=2", "weights.batch=2", "search.engine.snapshots=1", "train.steps=2", "train.batch=2"]
    changes = [*data, *steps, "space.width=4", "head.channels=8", "threads=1", "search.random_baseline=false"]
    path = tmp_path / "run"
    assert kill_when(words(path, "--recipe", "paper", settings=changes), lines(path, "stages", 2)) == -signal.SIGKILL
    seen = [row["values"] for row in rows(path, "metrics") if row["stage"] == "search"]
    assert all(math.isfinite(values["loss"]) for values in seen) and seen[-1]["arch_grad_norm"] > 0
    assert len(rows(path, "stages")[0]["result"]["arch"]) == 2 * 53
    assert config_of(path)["settings"]["weights"]["optim"]["lr"] == 0.05


def config_of(path: Path) -> dict:
    return json.loads((path / "config.json").read_text())


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_survive_their_own_file(recipe):
    settings = RECIPES[recipe]()
    assert settings.recipe == recipe and from_plain(Settings, plain(settings)) == settings


def test_what_is_changed_of_a_size():
    net = SpaceSettings(size="small", inputs=3, width=8, partial=1).open()
    named = SIZES["small"].space()
    assert net.cells.keys() == named.cells.keys() and (net.width, net.partial) == (8, 1)
    assert net.cells["s4_l5"].inputs.high == 3 and SpaceSettings(size="small").open() == named
    neighbours = SpaceSettings(size="small-neighbour").open()
    assert neighbours.cells["s8_l5"].inputs.options == ("s4_l4", "s8_l4", "s16_l4")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": SpaceSettings(size="huge")}, r"space\.size=huge: no such size; choose one of smoke, small, paper"),
        ({"space": SpaceSettings(size="smoke", inputs=0)}, r"space\.inputs=0: give 1 or more"),
        ({"space": SpaceSettings(size="smoke", width=6, partial=4)}, r"space\.width=6 cannot be shared out to space\.partial=4"),
        ({"budget": {"flops": 1.0}}, "budget 'flops' is no cost of a segmentation network; limit params, macs"),
        (
            {"search": changed(reward="acc", options=WeightingSettings(kind="hard-gumbel"), members=None)},
            r"reward=acc: training gives loss, loss_ce; name one",
        ),
        ({"weights": replace(smoke().weights, steps=0)}, r"weights\.steps=0: a network must be trained"),
        ({"save_every": 0}, "save_every=0: give 1 or more"),
    ],
)
def test_settings_that_cannot_be_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        replace(smoke(), **change)

"""The recipes: every one builds, searches and trains; and the rules of settings."""

from dataclasses import replace
from functools import partial
from random import Random

import pytest
import torch

from common.arch import from_labels
from common.engines import Gradient, Halving
from common.engines.weighting import WeightingSettings
from common.errors import UserError
from common.evaluate.pool import LocalPool
from common.overrides import from_plain, override, plain
from common.run.folder import RunFolder
from common.run.progress import Progress
from common.stages.context import Context
from common.stages.settings import SearchSettings, StopSettings
from common.stages.standard import standard_stages
from common.stages.tune import combinations
from common.supernet import opened
from common.train.phase import train_phase
from graphs.pdnas.methods import METHODS
from graphs.pdnas.model import build
from graphs.pdnas.recipes import ENGINES, RECIPES
from graphs.pdnas.settings import NetworkSettings, Settings
from graphs.pdnas.space import SpaceSettings
from graphs.settings import DataSettings
from tests.graphs.micro import task_of, tiny

EVERY = [(method, recipe) for method, recipes in RECIPES.items() for recipe in recipes]


def shrunk(s: Settings) -> Settings:
    """A recipe's own space, networks, optimisers and search, for as few steps and trainings as there can be."""
    steps = {"steps": 4, "batch": 1}
    engine = s.search.engine
    match engine:
        case Gradient(derive=None):
            engine = replace(engine, snapshots=1)
        case Gradient(derive=derive):
            few = replace(derive, trials=2, engine=replace(derive.engine, candidates=2))
            engine = replace(engine, snapshots=1, derive=few)
        case Halving():
            engine = replace(engine, candidates=2)
    return replace(
        s,
        weights=replace(s.weights, **steps),
        train=replace(s.train, **steps),
        search=replace(s.search, engine=engine, trials=2),
    )


def test_every_method_has_the_recipes_of_the_command_line():
    assert list(RECIPES) == [method.name for method in METHODS]
    assert all(method.recipes is RECIPES[method.name] for method in METHODS)
    assert all(list(recipes) == ["smoke", "small", "paper"] for recipes in RECIPES.values())


@pytest.mark.parametrize(("method", "recipe"), EVERY)
def test_every_recipe_is_itself_and_builds(method, recipe):
    """On a graph with the features and classes of Cora, made without memory."""
    s = RECIPES[method][recipe]()
    assert (s.recipe, s.budget, s.seed, s.search.random_baseline) == (recipe, {}, 0, method == "pdnas")
    assert from_plain(Settings, plain(s)) == s and type(s.search.engine) is type(ENGINES[method])
    with torch.device("meta"):
        supernet = build(opened(s.open_network(1433, 7)))
    assert sum(parameter.numel() for parameter in supernet.parameters()) > 1433 * max(s.space.widths)
    grid = combinations(s.tune, Random(0))
    assert len({repr(override(s, words)) for words in grid}) == len(grid), "settings that exist, and differ"


@pytest.mark.parametrize(("method", "recipe"), EVERY)
def test_every_recipe_searches_and_trains(method, recipe, tmp_path):
    s = shrunk(RECIPES[method][recipe]())
    task = task_of(s)
    with RunFolder.create(tmp_path / "run", {}, task.space) as folder, LocalPool(0) as pool:
        context = Context(
            task=task,
            factory=partial(task_of, s),
            folder=folder,
            progress=Progress(quiet=True),
            pool=pool,
            seed=0,
            device="cpu",
            constraints=[],
        )
        made = standard_stages(task)
        assert [stage.name for stage in made if stage.name in ("search", "tune", "retrain", "export")][-2:] == [
            "retrain",
            "export",
        ]
        for stage in made[: 1 + next(i for i, stage in enumerate(made) if stage.name == "search")]:
            folder.finish(stage.name, stage.run(context), 0.0)
        found = from_labels(task.space, folder.result("search")["arch"], "here")
        if (method, recipe) == ("pdnas", "small"):
            assert [trial.arch for trial in folder.trials()[:2]] == [task.baseline, task.networks.hand_made["GAT"]]
    tuned = task.variant(combinations(s.tune, Random(0))[-1])
    network = tuned.network(found, 0)
    (phase,) = tuned.phases("standalone")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert train_phase(network, phase, seed=0, measure=lambda: tuned.metrics(network, "val"))["class_loss"] > 0
    assert any(not torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(("asked", "names"), [(True, ["ARMA"]), (False, [])])
def test_hand_made_networks_can_be_left_out(asked, names):
    s = tiny(retrain=replace(tiny().retrain, hand_made=asked))
    (retrain,) = (stage for stage in standard_stages(task_of(s)) if stage.name == "retrain")
    assert list(retrain.others) == names and retrain.tuned.name == "tune"


DRAWN = WeightingSettings(kind="hard-gumbel")
REFUSED = {
    "skip": (lambda: DataSettings(skip_bad=True), "--skip-bad: a graph is one piece, .*; fix the data"),
    "dropout of all": (lambda: NetworkSettings(dropout=1.0), r"network\.dropout=1\.0: give a probability from 0 to below 1"),
    "negative dropout": (lambda: NetworkSettings(dropout=-0.1), r"network\.dropout=-0\.1: give a probability"),
    "no dropout": (lambda: NetworkSettings(attention_dropout=float("nan")), r"network\.attention_dropout=nan: give a prob"),
    "no block": (lambda: SpaceSettings(blocks=0), r"space\.blocks=0: give 1 or more"),
    "no width": (lambda: SpaceSettings(widths=()), r"space\.widths=\(\), .*: give one or more, each 1 or more"),
    "no heads": (lambda: SpaceSettings(heads=()), r"space\.heads=\(\): give one or more, each 1 or more"),
    "heads of nothing": (lambda: SpaceSettings(heads=(0, 1)), r"space\.heads=\(0, 1\): give one or more, each 1 or more"),
    "heads": (lambda: SpaceSettings(widths=(16, 24), heads=(1, 16)), "space: 16 heads do not divide the width 24; give widths"),
    "stop": (
        lambda: tiny(weights=replace(tiny().train, stop=StopSettings())),
        r"weights\.stop: a search ends by search\.engine\.stop; leave weights\.stop out",
    ),
    "budget": (lambda: tiny(budget={"flops": 1e6}), "budget 'flops' is no cost of a graph network; limit params, macs"),
    "weights": (lambda: tiny(weights=replace(tiny().weights, steps=0)), r"weights\.steps=0: a graph network must be trained"),
    "train": (lambda: tiny(train=replace(tiny().train, steps=0)), r"train\.steps=0: a graph network must be trained; give 1"),
    "reward": (
        lambda: tiny(search=SearchSettings(engine=Gradient(options=DRAWN, reward="f1"))),
        r"search\.engine\.reward=f1: training gives loss, class_loss, accuracy; name one of them, or none",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_rules(name):
    make, message = REFUSED[name]
    with pytest.raises(UserError, match=message):
        make()


def test_values_at_the_edge_of_the_rules_are_allowed():
    assert NetworkSettings(dropout=0.0, attention_dropout=0.999).dropout == 0
    assert SpaceSettings(blocks=1, widths=(1,), heads=(1,)).blocks == 1
    assert tiny(budget={"params": 1.0, "macs": 2.0}).budget == {"params": 1.0, "macs": 2.0}

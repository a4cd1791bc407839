"""The recipes: what the papers say is in them, and every one builds and takes steps."""

from dataclasses import replace
from functools import cache

import pytest
import torch

from classification.cells.space import Network
from classification.darts.methods import METHODS
from classification.darts.model import build
from classification.darts.networks import evaluated, searched
from classification.darts.recipes import RECIPES
from classification.darts.settings import NetworkSettings, Settings
from classification.darts.system import SYSTEM
from classification.data import embedded
from common.differentiable.strategies import relaxation_of, rule_of
from common.engines import Gradient
from common.options import RunOptions, settings_of
from common.overrides import from_plain, plain
from common.supernet import Supernet, opened
from common.train.alternate import Alternation
from common.train.fit import fit
from common.train.optim import make_optimizer, make_schedule
from common.train.phase import train_phase
from common.train.step import Losses
from tests.classification.micro import made


def gradient_of(settings: Settings) -> Gradient:
    """The engine of the recipe, which is the method's own."""
    assert isinstance(settings.search.engine, Gradient)
    return settings.search.engine


PAPERS = {
    # architecture's rate and decay, its gradient, first and last rate of the weights, their batch, parameters of the supernet
    "darts": (3e-4, 1e-3, "first-order", (0.025, 0.001), 64, 1_930_618),
    "darts2": (3e-4, 1e-3, "second-order", (0.025, 0.001), 64, 1_930_618),
    "snas": (3e-4, 1e-3, "one-level", (0.025, 0.001), 64, 1_930_618),
    "pc-darts": (6e-4, 1e-3, "first-order", (0.1, 0.0), 256, 299_578),
    "gdas": (3e-4, 1e-3, "first-order", (0.025, 0.001), 64, 1_930_618),
    "p-darts": (6e-4, 1e-3, "first-order", (0.025, 0.0), 96, 1_930_618),
    "gold-nas": (1e-2, 0.0, "one-level", (0.025, 0.001), 64, None),
    "darts-plus": (3e-4, 1e-3, "first-order", (0.025, 0.001), 64, 1_930_618),
    "amended-darts": (3e-4, 1e-3, "amended", (0.025, 0.001), 64, 1_930_618),
    "fair-darts": (3e-3, 1e-3, "first-order", (0.005, 0.001), 128, 1_930_618),
    "nasp": (3e-4, 1e-3, "first-order", (0.025, 0.001), 64, 1_930_618),
    "merge-nas": (3e-4, 1e-3, "first-order", (0.025, 0.001), 64, None),
    "mile-nas": (3e-4, 1e-3, "mixed-level", (0.025, 0.001), 64, 1_930_618),
    "da-nas": (3e-4, 1e-3, "one-level", (0.025, 0.001), 64, 1_930_618),
}


@pytest.mark.parametrize("method", METHODS)
def test_the_papers_are_in_the_recipes(method):
    s = RECIPES[method]["paper"]()
    lr, decay, rule, rates, batch, params = PAPERS[method]
    search = gradient_of(s)
    arch, optim = search.arch, s.weights.optim
    assert (arch.lr, arch.betas, arch.weight_decay, search.rule) == (lr, (0.5, 0.999), decay, rule)
    assert (optim.lr, optim.lr * optim.floor) == pytest.approx(rates)
    assert (optim.momentum, optim.weight_decay, optim.clip, s.weights.batch) == (0.9, 3e-4, 5.0, batch)
    assert search.forbidden == (() if method in ("snas", "gold-nas", "fair-darts", "nasp") else ("none",))
    assert search.options.temperature == {"snas": (1.0, 0.03), "gdas": (10.0, 0.1)}.get(method, (1.0, 1.0))
    assert (search.members is not None) == (method in ("pc-darts", "gold-nas", "nasp")), "edges have weights of their own"
    assert arch.begin == {"pc-darts": 15 / 50, "p-darts": 10 / 25}.get(method, 0.0)
    if params is not None:
        assert parameters(searched(s, 10), s.network)[0] == params


def test_what_is_particular_to_a_method_is_in_its_recipe():
    fair, nasp, p, gold = (gradient_of(RECIPES[name]["paper"]()) for name in ("fair-darts", "nasp", "p-darts", "gold-nas"))
    assert (fair.options.kind, fair.threshold, fair.zero_one) == ("sigmoid", 0.85, 10.0)
    assert RECIPES["fair-darts"]["paper"]().space.inputs == 0
    assert (nasp.options.kind, nasp.start) == ("one-hot", 0.5) and nasp.members is not None and nasp.members.kept == 2
    assert [(g.keep, *g.overrides) for g in p.grow] == [
        (5, "space.cells=5", "space.skip_dropout=0.1"),
        (3, "space.cells=11", "space.skip_dropout=0.4"),
        (1, "space.cells=17", "space.skip_dropout=0.7"),
    ]
    assert p.cap == 2 and gold.prune is not None
    space = RECIPES["gold-nas"]["paper"]().space
    assert (space.cells, space.gated, space.operations) == (20, True, ("skip_connect", "sep_conv_3x3"))
    mile, da = (gradient_of(RECIPES[name]["paper"]()) for name in ("mile-nas", "da-nas"))
    assert mile.scored and da.shrink is not None and da.shrink.curriculum == (0.2, 0.5, 1.0)
    assert gradient_of(RECIPES["darts-plus"]["paper"]()).stop == "skips"


def test_the_network_of_the_paper():
    s = RECIPES["darts"]["paper"]()
    assert s.network == NetworkSettings(width=36, cells=20, drop_path=0.2, auxiliary=0.4, cutout=16)
    assert s.train.steps == pytest.approx(600 * 50_000 / 96, rel=1e-3)
    task = made(replace(s, train=replace(s.train, batch=8)))  # digits of 32 pixels
    assert task.costs(task.baseline)["params"] > 1_000_000


@cache
def parameters(space: Network, network: NetworkSettings) -> tuple[int, int]:
    """Parameters of the supernet and of the network alone with every decision open, made without memory."""
    with torch.device("meta"):
        modules = build(opened(space)), build(opened(evaluated(network, space)))
    supernet, alone = (sum(p.numel() for p in module.parameters()) for module in modules)
    return supernet, alone


@pytest.mark.parametrize("recipe", ["smoke", "small", "paper"])
@pytest.mark.parametrize("method", METHODS)
def test_every_recipe_is_built_and_takes_two_steps(method, recipe):
    """The full networks are made without memory; the steps are those of two images on two nodes and three cells."""
    s = RECIPES[method][recipe]()
    assert from_plain(Settings, plain(s)) == s
    assert all(parameters(searched(s, 10), s.network))
    phase = {"steps": 2, "batch": 2}
    search = gradient_of(s)
    engine = replace(search, arch=replace(search.arch, begin=0.0))
    less = replace(
        s,
        data=replace(s.data, size=32 if s.network.auxiliary else 8),
        space=replace(s.space, nodes=1, width=8, cells=3),
        network=replace(s.network, width=4, cells=3),
        weights=replace(s.weights, **phase),
        train=replace(s.train, **phase),
        search=replace(s.search, engine=engine),
    )
    task = made(less)
    weights, architecture = task.phases("relaxed")
    network = task.supernet(0)
    relaxation = relaxation_of(engine, Supernet(network, task.space), 0)
    optimizer = make_optimizer(network, less.weights.optim)
    alternation = Alternation(
        relaxation=relaxation,
        model=Losses(network, architecture.loss),
        train_batch=lambda step: weights.batch_at(step, 0),
        search_batch=lambda step: architecture.batch_at(step, 0),
        rule=rule_of(engine),
        settings=engine.arch,
        weights=optimizer,
        steps=2,
        seed=0,
    )
    before = relaxation.strengths()
    seen: list[float] = []
    fit(
        Losses(network, weights.loss),
        batch_at=lambda step: weights.batch_at(step, 0),
        optimizer=optimizer,
        schedule=make_schedule(less.weights.optim),
        steps=2,
        participants=[alternation],
        observe=lambda step, values: seen.append(values["loss"]),
    )
    assert len(seen) == 2
    assert any(not torch.equal(values, before[path]) for path, values in relaxation.strengths().items())
    (alone,) = task.phases("standalone")
    assert train_phase(task.network(task.baseline, 0), alone, seed=0)["loss"] > 0


@pytest.mark.parametrize("method", METHODS)
def test_what_a_method_changes_in_the_space_holds_in_every_recipe(method):
    partial = 4 if method == "pc-darts" else 1
    recipes = SYSTEM.method(method).recipes
    assert {name: recipe().space.partial for name, recipe in recipes.items()} == dict.fromkeys(RECIPES[method], partial)
    assert settings_of(recipes, RunOptions(set=("space.partial=2",))).space.partial == 2


def test_the_smoke_recipe_fits_the_embedded_digits():
    for method in METHODS:
        s = RECIPES[method]["smoke"]()
        assert s.weights.batch <= len(embedded(s.data.size).train) // 2

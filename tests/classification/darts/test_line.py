"""What the methods of the DARTS line add to recipes and phases: searches in a row, curricula, spaces, and what is refused."""

from dataclasses import replace
from itertools import pairwise
from math import exp

import pytest
import torch

from classification.cells.operations import Skip
from classification.darts.methods import METHODS
from classification.darts.nasbench201 import build_cells, cell_space, every_edge
from classification.darts.phases import curriculum_of, set_skip_rate
from classification.darts.recipes import RECIPES
from classification.darts.settings import NetworkSettings
from classification.darts.spaces import TABLE_OPERATIONS, TableSpaceSettings
from classification.data import embedded
from classification.data.curriculum import class_order, of_classes
from classification.task import ClassificationTask
from common.cost.conventions import conv_linear
from common.cost.count import count
from common.engines import Gradient
from common.engines.dropping import GrowSettings, ProjectSettings, PruneSettings, ShrinkSettings
from common.engines.gradient import DeriveSettings
from common.engines.weighting import WeightingSettings
from common.errors import UserError
from common.evaluate.settings import InheritedSettings, PredictorSettings, ProxySettings, TableSettings
from common.objective import Constraint
from common.options import RunOptions, settings_of
from common.space import decisions, decode, size
from common.stages.gradient_checks import check_gradient
from common.stages.search import check_search
from common.stages.standard import search_stages
from common.tables.cell import OPS
from tests.classification.micro import SETTINGS, call, made, tiny, words
from tests.common.run.rows import rows

COUNTS = {"none": (73_306, 7_783_040), "nor_conv_1x1": (241_306, 31_376_000), "nor_conv_3x3": (1_531_546, 220_119_680)}
COUNTS |= dict.fromkeys(("skip_connect", "avg_pool_3x3"), COUNTS["none"])


@pytest.mark.parametrize("operation", OPS)
def test_nasbench201_has_its_published_counts(operation):
    space = cell_space()
    assert size(space) == 15_625 and TABLE_OPERATIONS == OPS
    net = replace(decode(space, every_edge(space, operation)), affine=True)
    cost = count(build_cells(net), (torch.zeros(1, 3, 32, 32),), convention=conv_linear)
    assert (cost.params, cost.macs) == COUNTS[operation]
    if operation == "nor_conv_3x3":
        small = count(build_cells(replace(net, classes=120)), (torch.zeros(1, 3, 16, 16),), convention=conv_linear)
        assert small.params == 1_538_696


@pytest.mark.parametrize("bad", [{"cells": 0}, {"edges": ("none",) * 5}, {"edges": ("none",) * 5 + ("conv",)}])
def test_networks_of_the_table_that_cannot_be_are_refused(bad):
    net = replace(decode(cell_space(), dict.fromkeys(decisions(cell_space()), 0)), **bad)
    with pytest.raises(UserError, match=r"operation 'conv' is not in NAS-Bench-201|give at least 1 of each, and 6 edges"):
        build_cells(net)


def test_every_method_searches_the_cells_of_the_table():
    for name in METHODS:
        s = RECIPES[name]["smoke"]()
        network = NetworkSettings(width=4, cells=1, drop_path=0.0, auxiliary=0.0, cutout=0)
        engine = s.search.engine
        assert isinstance(engine, Gradient)
        ideas = {word.partition("=")[0] for word in METHODS[name].changes} & {"space.partial", "space.merged"}
        if engine.prune is None and not engine.grow and not ideas:  # gates are of other cells, and depths are changed by name
            changed = replace(engine, forbidden=(), threshold=None, shrink=None, cap=None)
            table = replace(
                s,
                space=TableSpaceSettings(width=4, cells=1),
                network=network,
                search=replace(s.search, engine=changed),
            )
            assert len(decisions(made(table).space)) == 6


def test_p_darts_is_three_searches_of_growing_depth_and_fewer_operations(tmp_path, monkeypatch):
    monkeypatch.setattr(ClassificationTask, "export", lambda self, network, folder: 0.0)
    task = made(tiny("p-darts"))
    stages = [stage for stage in search_stages(task)[0] if stage.name.startswith("search")]
    assert [stage.name for stage in stages] == ["search 1", "search 2", "search"]
    assert [task.variant(stage.grow.overrides).space.cells for stage in stages] == [3, 4, 5]
    call(words(tmp_path / "run", method="p-darts"))
    found = [row["result"] for row in rows(tmp_path / "run", "stages") if row["stage"].startswith("search")]
    for row, keep in zip(found, (5, 3, 1), strict=True):
        assert {len(options) for options in row["kept"].values()} == {keep}
    for before, after in pairwise(found):
        assert all(set(after["kept"][path]) <= set(options) for path, options in before["kept"].items())
    normal = [label for path, label in found[-1]["arch"].items() if path.startswith("normal.") and path.endswith(".op")]
    assert "none" not in normal and normal.count("skip_connect") <= 2
    assert all(label in found[1]["kept"][path] for path, label in found[-1]["arch"].items() if path.endswith(".op"))


def test_the_dropout_behind_skips_falls_as_in_the_released_code():
    s = RECIPES["p-darts"]["paper"]()
    s = replace(s, space=replace(s.space, skip_dropout=0.4))
    network = made(tiny()).supernet(0)
    rates = []
    for epoch in range(25):
        set_skip_rate(s, network, (epoch + 0.5) / 25)
        rates.append({part.dropout for part in network.modules() if isinstance(part, Skip)})
    wanted = [0.4 * (24 - e) / 25 if e < 10 else 0.4 * exp(-0.2 * (e - 10)) for e in range(25)]
    assert all(len(rate) == 1 for rate in rates)
    assert [rate.pop() for rate in rates] == pytest.approx(wanted)
    skip, x = Skip(), torch.ones(1000)
    skip.dropout = 0.4
    assert torch.equal(skip.eval()(x), x)
    torch.manual_seed(0)
    assert float((skip.train()(x) == 0).float().mean()) == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize(("epochs", "begin"), [(9, 0.4), (7, 0.5), (3, 0.9), (25, 0.4)])
def test_the_dropout_behind_skips_is_a_probability_whatever_the_schedule(epochs, begin):
    s = RECIPES["p-darts"]["smoke"]()
    engine = replace(s.search.engine, snapshots=epochs, arch=replace(s.search.engine.arch, begin=begin))
    s = replace(s, space=replace(s.space, skip_dropout=0.9), search=replace(s.search, engine=engine))
    network = made(tiny()).supernet(0)
    skips = [part for part in network.modules() if isinstance(part, Skip)]
    rates = []
    for step in range(90):
        set_skip_rate(s, network, step / 90)
        rates.append(skips[0].dropout)
    warm = [rate for step, rate in enumerate(rates) if step / 90 < begin]
    assert warm == sorted(warm, reverse=True) and max(rates) <= 0.9 and min(rates) >= 0
    assert rates[len(warm)] == 0.9, "the base, when the architecture begins to learn"


def test_da_nas_sees_more_and_more_classes():
    s = tiny("da-nas")
    s = replace(s, weights=replace(s.weights, steps=9, batch=4))
    task = made(s)
    order = class_order(task.data.train)
    assert sorted(order) == list(range(10)) and list(order) != sorted(order)
    for phase in task.phases("relaxed"):
        seen = [set(phase.batch_at(step, 0)[1].tolist()) for step in range(9)]
        assert all(labels <= set(order[:2]) for labels in seen[:3]), "the two easiest classes until options are dropped"
        assert all(labels <= set(order[:5]) for labels in seen[3:6]) and any(labels - set(order[:2]) for labels in seen[3:6])
        assert any(labels - set(order[:5]) for labels in seen[6:])
    assert curriculum_of(tiny(), task.data.train, task.data.train) == []
    both = [curriculum_of(s, task.data.train, half) for half in task.halves]
    assert all({*one.labels.tolist()} == {*other.labels.tolist()} for (_, one), (_, other) in zip(*both, strict=True))


def test_easy_classes_come_first():
    """Of three classes two have the same pictures: the third one alone can be told."""
    train = embedded(size=8).train
    zeros, ones = (of_classes(train, [label]) for label in (0, 1))
    assert set(zeros.labels.tolist()) == {0} and len(zeros) + len(ones) < len(train)
    labels = train.label_array.copy()
    rows = {label: train.row_array[train.label_array == label] for label in (0, 1)}
    row_array = train.row_array.copy()
    n = min(map(len, rows.values()))
    row_array[labels == 1] = rows[0][:n].repeat(2)[: (labels == 1).sum()]
    mixed = of_classes(replace(train, row_array=row_array), [0, 1, 4])
    assert class_order(mixed)[0] == 4 and class_order(mixed)[3:] == (2, 3, 5, 6, 7, 8, 9)


GATES = WeightingSettings(kind="sigmoid")


def engine(**changes) -> Gradient:
    return replace(Gradient(forbidden=("none",)), **changes)


@pytest.mark.parametrize(
    ("changed", "space", "says"),
    [
        (
            {"arch": replace(Gradient().arch, begin=0.9, every=7)},
            {},
            "none of 12 steps teaches the architecture; give",
        ),
        (
            {"shrink": ShrinkSettings(at=(0.01, 0.02), keep=(5, 3))},
            {},
            r"of 12 steps these are steps \[0, 0\]; give",
        ),
        (
            {"prune": PruneSettings(every=13), "members": GATES, "forbidden": ()},
            {"gated": True, "operations": ("skip_connect", "sep_conv_3x3")},
            "prune.every=13: a search of 12 steps has no round; give fewer",
        ),
        (
            {"options": GATES, "threshold": 0.85},
            {"inputs": 0},
            r"threshold=0\.85: in 12 steps at .*lr=0\.0003 no strength gets above 0\.50.*: no input passes it",
        ),
        ({"cap": 1}, {"operations": ("none", "skip_connect")}, r"cap=1: decision 'normal\..*' can be skip_connect alone; allow"),
        (
            {"grow": (GrowSettings(keep=8), GrowSettings(keep=1))},
            {},
            "keep=8: no decision has more than 8 options: nothing is dropped; keep fewer",
        ),
        (
            {"shrink": ShrinkSettings(at=(0.5,), keep=(9,))},
            {},
            "keep=9: no decision has more than 8 options: nothing is dropped",
        ),
        (
            {
                "grow": (
                    GrowSettings(keep=2),
                    GrowSettings(keep=1, overrides=("space.nodes=2",)),
                )
            },
            {},
            "changes the decisions of the space; give other",
        ),
    ],
)
def test_what_would_end_with_nothing_is_refused_before_the_search(changed, space, says):
    s = tiny()
    s = replace(s, weights=replace(s.weights, steps=12), space=replace(s.space, **space))
    s = replace(s, search=replace(s.search, engine=engine(**changed)))
    with pytest.raises(UserError, match=says):
        check_gradient(s.search.engine, made(s))


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("space.inputs=3", r"space\.inputs=3: a node .* has up to two"),
        ('space.operations=["conv"]', "'conv' is no operation of the space; choose among none, max_pool"),
        ("space.family=squeeze", "space.family"),
        ('space.operations=["none","none"]', "give one or more, each once"),
        ("space.skip_dropout=1.0", "give a probability from 0 to below 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(word, says):
    recipes = RECIPES["da-nas"]
    with pytest.raises(UserError, match=says):
        settings_of(recipes, RunOptions(set=(word,)))


@pytest.mark.parametrize("evaluation", [InheritedSettings(), PredictorSettings(), TableSettings(file="table.csv")])
def test_random_search_at_equal_cost_trains_its_candidates(evaluation):
    s = tiny()
    search = replace(s.search, evaluation=evaluation)
    with pytest.raises(UserError, match=rf"search.evaluation={evaluation.name}: random search at the cost .* scratch or proxy"):
        check_search(search, made(s), [])
    check_search(replace(search, random_baseline=False), made(s), [])
    with pytest.raises(UserError, match=r"search\.evaluation=proxy: it has no overrides"):
        check_search(replace(search, evaluation=ProxySettings()), made(s), [])
    with pytest.raises(UserError, match=r"search\.engine\.rivals=0: give 1 or more"):
        engine(rivals=0)


def test_projection_takes_no_budget():
    s = tiny()
    s = replace(s, weights=replace(s.weights, steps=20))
    search = replace(s.search, engine=engine(project=ProjectSettings()))
    with pytest.raises(UserError, match=r"project: it settles decisions without regard to the budget macs <= 5"):
        check_search(search, made(s), [Constraint("macs", upper=5.0)])
    check_search(search, made(s), [])


def test_a_budget_of_live_pruning_is_kept(tmp_path, monkeypatch):
    """The largest network of the sequence below it; one that the search does not come down to is an error."""
    monkeypatch.setattr(ClassificationTask, "export", lambda self, network, folder: 0.0)
    pruned = ("search.engine.prune.every=1", "search.engine.prune.price=9.0", "search.engine.arch.lr=2.0")
    settings = [*SETTINGS, *pruned]
    call(words(tmp_path / "free", method="gold-nas", settings=settings))
    stages = {row["stage"]: row["result"] for row in rows(tmp_path / "free", "stages")}
    sequence = [row["arch"] for row in stages["search"]["sequence"]]
    assert len(sequence) > 1 and stages["search"]["arch"] == sequence[-1]
    call(words(tmp_path / "run", "--budget", "macs=1e12", method="gold-nas", settings=settings))
    assert rows(tmp_path / "run", "retrained")[0]["arch"] == sequence[0], "no smaller than the budget asks for"


def test_the_network_of_the_table_has_no_second_classifier():
    with pytest.raises(UserError, match="space=nasbench201: its network has no second classifier and no drop-path"):
        replace(RECIPES["darts"]["paper"](), space=TableSpaceSettings())


def test_a_run_in_the_space_of_the_table_and_in_a_robust_one(tmp_path, monkeypatch):
    monkeypatch.setattr(ClassificationTask, "export", lambda self, network, folder: 0.0)
    table = ("space=nasbench201", "space.cells=1", "space.width=4", "network.cells=1", "search.engine.forbidden=[]")
    own = [word for word in SETTINGS if not word.startswith("space.")]
    call(words(tmp_path / "table", settings=[*own, *table]))
    assert [row["name"] for row in rows(tmp_path / "table", "retrained")] == ["searched", "random 1", "baseline"]
    robust = ('space.operations=["sep_conv_3x3","noise"]', "search.engine.forbidden=[]")
    call(words(tmp_path / "robust", settings=[*SETTINGS, *robust]))
    arch = rows(tmp_path / "robust", "retrained")[0]["arch"]
    assert {label for path, label in arch.items() if path.endswith(".op")} <= {"sep_conv_3x3", "noise"}


def test_candidates_of_a_search_have_no_forbidden_options():
    s = tiny()
    s = replace(s, search=replace(s.search, engine=engine(derive=DeriveSettings())))
    (search,) = [stage for stage in search_stages(made(s))[0] if stage.name == "search"]
    assert search.first.forbidden == ("none",)

"""Settings of searchers: by name alone, with the defaults that recorded results were found with; state is nobody's to give."""

from inspect import Parameter, signature

import pytest

from common.search.aging_evolution import AgingEvolution
from common.search.base import Unseen
from common.search.econas import EcoNAS
from common.search.exhaustive import Exhaustive
from common.search.generations import Generations
from common.search.genetic import GeneticAlgorithm
from common.search.given import Given
from common.search.hierarchical_evolution import TournamentEvolution
from common.search.local_search import LocalSearch
from common.search.nao import NAO
from common.search.npenas import NPENAS
from common.search.nsga2 import NSGA2
from common.search.pnas import PNAS
from common.search.policy import Independent
from common.search.policy_lstm import LSTM
from common.search.random import RandomSearch
from common.search.reinforce import Baseline, Reinforce
from common.search.successive_halving import SuccessiveHalving
from common.search.topk_evolution import TopKEvolution
from tests.common.search.toys import SEARCHERS, SPACES, small

OF_ALL = {"seed": 0, "feasible": None, "rule": "", "canonical": None}
DEFAULTS = {
    RandomSearch: {},
    Exhaustive: {},
    TopKEvolution: {"population": 50, "mutants": 20, "crossovers": 20, "parents": 10, "rate": 0.1, "first": None},
    GeneticAlgorithm: {"population": 40, "elite": 4, "crossing": 0.9, "rate": 0.1, "excess": None},
    AgingEvolution: {"population": 50, "tournament": 10, "children": 1},
    NSGA2: {"population": 40, "children": None, "crossing": 0.9, "redrawn": 1.0},
    Reinforce: {
        **{"children": 1, "rate": 0.01, "betas": (0.9, 0.999), "baseline": 0.9, "corrected": True, "entropy": 0.0},
        **{"clip": None, "epochs": 1, "power": 1.0, "draws": 10},
    },
    LocalSearch: {"move": "first", "children": 1, "starts": 1},
    TournamentEvolution: {"population": 50, "share": 0.05, "children": 1, "origin": None, "diversify": 1000},
    EcoNAS: {
        **{"fidelities": ("20", "40", "60"), "initial": 16, "continued": (8, 4), "parents": (6, 5, 5), "patience": 10},
    },
    SuccessiveHalving: {
        **{"fidelities": ("0.25", "0.5", "full"), "initial": 16, "eta": 2, "first": (), "parents": 0, "rate": 0.1},
    },
    NPENAS: {"first": 10, "later": 10, "candidates": 100, "parents": 10, "rate": 0.0, "acquisition": "mean"},
    NAO: {"first": 50, "later": 25, "seeds": 20, "ascents": 50},
    PNAS: {"first": 136, "beam": 256},
}
NEEDED = {Reinforce: {"policy"}, TournamentEvolution: {"mutation"}, NPENAS: {"predictor"}, PNAS: {"levels", "predictor"}}
NEEDED[NAO] = {"model"}


def test_every_searcher_is_below():
    assert {type(small(name, SPACES["flat"])) for name in SEARCHERS} == set(DEFAULTS)


@pytest.mark.parametrize("kind", DEFAULTS)
def test_settings_of_searchers_have_their_names_and_defaults(kind):
    given = dict(signature(kind).parameters)
    rest = {name: found for name, found in given.items() if name not in ("space", "objectives")}
    assert all(found.kind is Parameter.KEYWORD_ONLY for found in rest.values())
    assert set(rest) == {*OF_ALL, *DEFAULTS[kind], *NEEDED.get(kind, ())}
    assert {name: rest[name].default for name in (*OF_ALL, *DEFAULTS[kind])} == OF_ALL | DEFAULTS[kind]


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Unseen, ["space", "feasible", "rule", "canonical"]),
        (Generations, ["unseen", "name", "seed", "size"]),
        (Given, ["archs", "objectives", "origin"]),
        (Baseline, ["decay", "corrected"]),
        (type(Independent().policy(SPACES["flat"], 0)), ["space", "settings", "seed"]),
        (type(LSTM(hidden=2).policy(SPACES["flat"], 0)), ["space", "settings", "seed"]),
    ],
)
def test_state_cannot_be_given(kind, given):
    assert list(signature(kind).parameters) == given


def test_defaults_of_the_policies_are_those_of_nas_bench_201_and_nasnet():
    assert Independent() == Independent(scale=1e-3)
    assert LSTM() == LSTM(layers=1, hidden=100, scale=0.1, temperature=1.0, tanh=None)

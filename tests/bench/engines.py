"""The engines that are compared on tables: how each is made, and for how many seeds at most.

A new engine is a function of (table, seed) and a line in `ENGINES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from common.encode import Encoder
from common.errors import UserError
from common.predict.gin import GIN
from common.predict.mlp import MLP
from common.predict.nao_model import NAOModel
from common.search.aging_evolution import AgingEvolution
from common.search.base import Searcher
from common.search.econas import EcoNAS
from common.search.hierarchical_evolution import TournamentEvolution
from common.search.local_search import LocalSearch
from common.search.nao import NAO
from common.search.npenas import NPENAS
from common.search.pnas import PNAS, Levels, by_decisions
from common.search.policy_lstm import LSTM
from common.search.random import RandomSearch
from common.search.reinforce import Reinforce
from common.search.topk_evolution import TopKEvolution
from common.space import Arch
from common.tables.cell import NODES
from common.tables.generated import CONV
from common.tables.nasbench_graph import OPS as GRAPH_OPS
from common.tables.study import Make
from common.tables.table import Table

SHARED = ("space", "objectives", "seed", "feasible", "rule", "canonical")
"""What every searcher is given alike: not a setting of the engine."""


def anywhere(table: Table) -> bool:
    """Fits every table."""
    return True


def with_graph(table: Table) -> bool:
    """Fits tables whose networks are told apart by a cell."""
    return table.graph is not None


def with_fidelities(table: Table) -> bool:
    """Fits tables with several fidelities."""
    return len(table.scores) > 1


CLAIMED = (
    "nasbench201-cifar10",
    "nasbench201-cifar100",
    "nasbench201-imagenet16-120",
    "nasbench-graph-cora",
    "nasbench-graph-arxiv",
)
"""Tables that something is claimed about: engines that are expensive get more seeds on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One engine.

    Attributes:
        title: What the page calls it.
        make: Makes the searcher: a module-level function, for it is sent to other processes.
        most: At most so many seeds on the tables of `CLAIMED`; None for as many as are asked for.
        elsewhere: At most so many on other tables.
        fits: Which tables it can search.
    """

    title: str
    make: Make
    most: int | None = None
    elsewhere: int = 50
    fits: Callable[[Table], bool] = anywhere

    def seeds(self, table: Table, asked: int) -> range:
        """The seeds that it runs with on this table."""
        most = self.most if table.name in CLAIMED else self.elsewhere
        return range(asked if most is None else min(asked, most))

    def settings(self, table: Table) -> str:
        """The settings that it has on this table, as text."""
        return settings(self.make(table, 0))


def settings(searcher: Searcher) -> str:
    """Name = value of what is set in a searcher, besides what all are given."""
    return ", ".join(_set(searcher)) or "none"


def _set(thing: Any) -> list[str]:
    """The settings in a dataclass that are plain values or have such; spaces, tables and functions are none."""
    known = {field.name: getattr(thing, field.name) for field in fields(thing) if field.init and field.name not in SHARED}
    return [f"{name} = {text}" for name, value in known.items() if (text := _text(value))]


def _text(value: Any) -> str:
    if isinstance(value, bool | int | float | str | None):
        return repr(value)
    if isinstance(value, tuple | list):
        parts = [_text(part) for part in value]
        return f"({', '.join(parts)})" if all(parts) else ""
    return f"{type(value).__name__}({', '.join(_set(value))})" if is_dataclass(value) and not callable(value) else ""


def random(table: Table, seed: int) -> Searcher:
    """Uniform, without repetition."""
    return RandomSearch(table.space, [table.objective], seed=seed, canonical=table.canonical)


def aging(table: Table, seed: int) -> Searcher:
    """As the authors of NAS-Bench-201 set it: R_EA.py, population 10, tournaments of 3."""
    return AgingEvolution(
        table.space, [table.objective], seed=seed, canonical=table.canonical, population=10, tournament=3, children=1
    )


def topk(table: Table, seed: int) -> Searcher:
    """Generations of 20 instead of 50, so that 50 queries are more than one."""
    return TopKEvolution(
        table.space, [table.objective], seed=seed, canonical=table.canonical, population=20, mutants=8, crossovers=8, parents=10
    )


def local(table: Table, seed: int) -> Searcher:
    """As White et al. describe it: climbs from one random architecture each, to the first better neighbour."""
    return LocalSearch(table.space, [table.objective], seed=seed, canonical=table.canonical)


def tournament(table: Table, seed: int) -> Searcher:
    """A population of 20 instead of 200; tournaments of 5 % of it would have one member, so 30 %."""
    return TournamentEvolution(table.space, [table.objective], seed=seed, canonical=table.canonical, population=20, share=0.3)


def reinforce(table: Table, seed: int) -> Searcher:
    """As the authors of NAS-Bench-201 set it, R_RL.py: logits for each decision; but a rate of 0.1 instead of 0.01.

    The rate was chosen by the validation accuracy that it finds within 150 queries on their CIFAR-10 table.
    """
    return Reinforce(table.space, [table.objective], seed=seed, canonical=table.canonical, rate=0.1)


def reinforce_lstm(table: Table, seed: int) -> Searcher:
    """The policy of NAS-RL, five children in every update."""
    return Reinforce(table.space, [table.objective], seed=seed, canonical=table.canonical, policy=LSTM(), children=5, rate=0.01)


def pnas(table: Table, seed: int) -> Searcher:
    """Ten trials a level instead of 256, and one MLP: see `levels`."""
    predictor = MLP(table.features, steps=80)
    return PNAS(
        table.space,
        [table.objective],
        seed=seed,
        canonical=table.canonical,
        levels=levels(table),
        predictor=predictor,
        first=10,
        beam=10,
    )


def levels(table: Table) -> Levels:
    """What PNAS opens one after the other; what is not open yet is a convolution.

    The groups of NAS-Bench-201's edges, which pair an edge out of the cell's input with one further on, were chosen on its
    CIFAR-10 table. NAS-Bench-Graph's are its link pattern, then the operations of the first two nodes, then the others. Of any
    other table the decisions are opened one by one, and what is not open yet is a first option: nothing is known of it.
    """
    paths = Encoder(table.space).paths
    if len(paths) == 1:
        return by_decisions(table.space, [paths], Arch({paths[0]: 0}))
    if "link" in paths:
        ops = [path for path in paths if path != "link"]
        filler = Arch({"link": 0, **dict.fromkeys(ops, GRAPH_OPS.index("gcn"))})
        return by_decisions(table.space, [["link"], ops[:2], ops[2:]], filler)
    if len(paths) != 6 or CONV not in table.operations:
        return by_decisions(table.space, [[path] for path in paths], Arch(dict.fromkeys(paths, 0)))
    groups = [[paths[0], paths[3]], [paths[1], paths[4]], [paths[2], paths[5]]]
    convolution = [op for op in table.operations if op not in NODES].index(CONV)
    return by_decisions(table.space, groups, Arch(dict.fromkeys(paths, convolution)))


def npenas(table: Table, seed: int) -> Searcher:
    """With the paper's predictor, in 100 steps at twice its rate, a third faster."""
    if table.graph is None:
        raise UserError(f"table {table.name} has no graphs: use an engine that needs none")
    predictor = GIN(table.graph, table.operations, steps=100, rate=0.02)
    return NPENAS(table.space, [table.objective], seed=seed, canonical=table.canonical, predictor=predictor)


def npenas_mlp(table: Table, seed: int) -> Searcher:
    """With an MLP on the features that the table has for predictors."""
    return NPENAS(table.space, [table.objective], seed=seed, canonical=table.canonical, predictor=MLP(table.features))


def nao(table: Table, seed: int) -> Searcher:
    """50 random architectures first, then generations of 25, instead of 600 and 300."""
    return NAO(table.space, [table.objective], seed=seed, canonical=table.canonical, model=NAOModel(table.space))


def econas(table: Table, seed: int) -> Searcher:
    """Two fidelities; one architecture moves on in every cycle, for on NAS-Bench-201 it costs as much as 17 new ones."""
    highest = max(table.epochs, key=lambda name: table.epochs[name])
    return EcoNAS(
        table.space,
        [table.objective],
        seed=seed,
        canonical=table.canonical,
        fidelities=(table.fidelity, highest),
        continued=(1,),
        parents=(8, 6),
    )


ENGINES: dict[str, Engine] = {
    "random": Engine(title="random search", make=random),
    "aging": Engine(title="aging evolution", make=aging),
    "topk": Engine(title="top-k evolution", make=topk),
    "local": Engine(title="local search", make=local),
    "tournament": Engine(title="tournament evolution", make=tournament),
    "reinforce": Engine(title="REINFORCE", make=reinforce, elsewhere=20),
    "reinforce-lstm": Engine(title="REINFORCE, LSTM", make=reinforce_lstm, most=50, elsewhere=6),
    "pnas": Engine(title="PNAS", make=pnas, most=64, elsewhere=4),
    "npenas": Engine(title="NPENAS, GIN", make=npenas, most=24, elsewhere=3, fits=with_graph),
    "npenas-mlp": Engine(title="NPENAS, MLP", make=npenas_mlp, most=40, elsewhere=6),
    "nao": Engine(title="NAO", make=nao, most=16, elsewhere=3),
    "econas": Engine(title="EcoNAS", make=econas, fits=with_fidelities),
}
"""Name -> engine, in the order of the page. The page measures the others against `random` and `aging`."""

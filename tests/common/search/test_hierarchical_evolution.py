"""Tournament evolution without death, and the space of hierarchical representations."""

from collections import Counter
from math import comb
from random import Random

import pytest

from common.arch import from_json, to_json
from common.encode import Encoder, Graph
from common.errors import UserError
from common.search.base import Scores
from common.search.driver import search
from common.search.hierarchical_evolution import TournamentEvolution, winner
from common.search.hierarchical_space import (
    PRIMITIVES,
    Hierarchy,
    Motif,
    hierarchical,
    identity_chains,
    mutate_motif,
    pairs,
    primitive_edges,
)
from common.space import Arch, OneOf, decisions, decode, sample, size
from tests.common.search.toys import HIT

TWENTY = tuple(OneOf(*"abcd") for _ in range(20))
TARGET = sample(TWENTY, Random(3))
PAPER = hierarchical()
FLAT = hierarchical(motifs=[1], nodes=[11])


def hamming(archs, fidelity):
    return [Scores(values={"hit": -float(sum(TARGET[p] != i for p, i in arch.items()))}) for arch in archs]


def same(archs, fidelity):
    return [Scores(values={"hit": 0.0}) for _ in archs]


def differ(a, b):
    assert set(a) == set(b)
    return sum(a[path] != b[path] for path in a)


@pytest.mark.parametrize(("n", "share"), [(40, 0.05), (40, 0.2), (10, 0.5), (7, 1.0), (3, 0.01), (1, 0.05)])
def test_the_winner_is_that_of_a_tournament_without_replacement(n, share):
    rng, draws = Random(0), 20_000
    k = max(1, round(share * n))
    found = Counter(winner(n, share, rng) for _ in range(draws))
    for rank in range(n):
        p = comb(n - rank - 1, k - 1) / comb(n, k)  # it takes part and the k - 1 others are behind it
        assert abs(found[rank] / draws - p) <= 5 * (p * (1 - p) / draws) ** 0.5 + 1e-12, rank
    assert max(found) <= n - k


def test_everybody_stays_alive_and_a_child_differs_in_one_decision():
    trials = search(TournamentEvolution(TWENTY, [HIT], population=20), same, budget=400)
    assert {t.origin for t in trials[:20]} == {"random"}
    for trial in trials[20:]:
        (parent,) = trial.parents
        assert trial.origin == "mutation" and parent < trial.id and differ(trial.arch, trials[parent].arch) == 1
    ages = [t.id - t.parents[0] for t in trials[-100:]]
    assert max(ages) > 300, "the first ones are parents still"


@pytest.mark.parametrize("seed", [0, 1])
def test_it_climbs(seed):
    trials = search(TournamentEvolution(TWENTY, [HIT], seed=seed, children=4), hamming, budget=1200, batch=4)
    assert max(t.scores["hit"] for t in trials) >= -1
    assert max(t.scores["hit"] for t in trials[:50]) <= -8


def test_a_share_of_all_is_always_won_by_the_best():
    trials = search(TournamentEvolution(TWENTY, [HIT], population=10, share=1.0), hamming, budget=100)
    for trial in trials[10:]:
        assert trial.parents == (max(trials[: trial.id], key=lambda t: (t.scores["hit"], -t.id)).id,)


def test_the_first_population_is_the_trivial_genotype_diversified():
    near = TournamentEvolution(TWENTY, [HIT], population=30, origin=TARGET, diversify=3)
    trials = search(near, same, budget=30)
    assert all(t.origin == "random" and not t.parents for t in trials)
    assert max(differ(t.arch, TARGET) for t in trials) == 3
    far = TournamentEvolution(TWENTY, [HIT], population=30, origin=TARGET, diversify=300)
    moved = [differ(t.arch, TARGET) for t in search(far, same, budget=30)]
    assert sum(moved) / 30 == pytest.approx(20 * 3 / 4, abs=1.5), "as far from it as random ones"


@pytest.mark.parametrize("settings", [{"population": 0}, {"share": 0.0}, {"share": 1.5}, {"children": 0}, {"diversify": 0}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(UserError, match="needs each >= 1 and 0 < share <= 1"):
        TournamentEvolution(TWENTY, [HIT], **settings)


def test_the_papers_space_has_its_size():
    assert len(decisions(PAPER)) == 6 * comb(4, 2) + comb(5, 2) == 46
    assert size(PAPER) == 7 ** (6 * 6 + 10)
    assert size(FLAT) == 7 ** comb(11, 2) == 7**55
    assert [len(level) for level in PAPER.levels] == [6, 1]
    assert [motif.nodes for level in PAPER.levels for motif in level] == [4] * 6 + [5]
    assert len(PRIMITIVES) == 6 and pairs(4) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


@pytest.mark.parametrize("space", [PAPER, FLAT, hierarchical(motifs=[2, 3, 1], nodes=[3, 2, 4])])
def test_a_thousand_mutations_stay_inside_the_space(space):
    rng, arch = Random(0), identity_chains(space)
    encoder = Encoder(space)
    for step in range(1000):
        child = mutate_motif(space, arch, rng)
        assert differ(child, arch) == 1
        network = decode(space, child)  # raises for a label out of range
        arch = child
        if step % 100 == 0:
            for motifs in network.levels:
                for motif in motifs:  # raises for an edge that does not go on: no cycle
                    Graph(("node",) * motif.nodes, tuple(p for p, name in zip(pairs(motif.nodes), motif.edges) if name != "none"))
            assert encoder.from_one_hot(encoder.one_hot(child)) == child
            assert encoder.from_ordinal(encoder.ordinal(child)) == child
            assert from_json(space, to_json(space, child)) == child


def test_levels_are_drawn_uniformly_then_motifs_then_pairs():
    rng, start = Random(1), identity_chains(PAPER)
    moved = Counter()
    for _ in range(12_000):
        child = mutate_motif(PAPER, start, rng)
        (path,) = (p for p in start if start[p] != child[p])
        moved[path] += 1
    top = sum(n for path, n in moved.items() if path.startswith("levels.1."))
    assert top / 12_000 == pytest.approx(1 / 2, abs=0.02), "not 10 / 46"
    assert all(n == pytest.approx(12_000 / 2 / 10, rel=0.25) for path, n in moved.items() if path.startswith("levels.1."))
    assert all(n == pytest.approx(12_000 / 2 / 36, rel=0.45) for path, n in moved.items() if path.startswith("levels.0."))
    assert len(moved) == 46


def test_the_trivial_genotype_is_chains_of_identities():
    network = decode(PAPER, identity_chains(PAPER))
    assert isinstance(network, Hierarchy)
    for motif in network.levels[0]:
        assert motif.edges == ("identity", "none", "none", "identity", "none", "identity")
    assert [e for e in network.levels[1][0].edges if e != "none"] == ["motif_0"] * 4
    assert primitive_edges(network) == {"identity": 4 * 3}


def test_primitive_edges_by_recursion():
    full = decode(PAPER, Arch(dict.fromkeys(decisions(PAPER), 1)))
    assert primitive_edges(full) == {"conv_1x1": 10 * 6}, "ten edges, each a motif of six"
    assert primitive_edges(decode(PAPER, Arch(dict.fromkeys(decisions(PAPER), 0)))) == {}
    assert primitive_edges(decode(FLAT, Arch(dict.fromkeys(decisions(FLAT), 3)))) == {"separable_3x3": 55}
    three = hierarchical(motifs=[2, 2, 1], nodes=[3, 3, 3])
    assert primitive_edges(decode(three, Arch(dict.fromkeys(decisions(three), 1)))).total() == 3**3

    network = decode(PAPER, sample(PAPER, Random(5)))
    inner = [sum(name != "none" for name in motif.edges) for motif in network.levels[0]]
    top = [int(name.removeprefix("motif_")) for name in network.levels[1][0].edges if name != "none"]
    assert primitive_edges(network).total() == sum(inner[k] for k in top)


def test_the_hierarchical_search_of_the_paper_in_small():
    """Fitness: separable convolutions after full decoding, with at most 60 of them reachable."""

    def fitness(archs, fidelity):
        return [Scores(values={"hit": float(primitive_edges(decode(PAPER, a))["separable_3x3"])}) for a in archs]

    evolution = TournamentEvolution(
        PAPER, [HIT], population=20, origin=identity_chains(PAPER), diversify=200, mutation=mutate_motif, seed=3
    )
    trials = search(evolution, fitness, budget=400)
    best = [max(t.scores["hit"] for t in trials[:n]) for n in (20, 400)]
    assert best[1] >= best[0] + 15


@pytest.mark.parametrize(
    "settings",
    [{"motifs": []}, {"motifs": [6, 2]}, {"motifs": [0, 1]}, {"nodes": [4]}, {"nodes": [1, 5]}, {"primitives": []}],
)
def test_impossible_hierarchies_are_refused(settings):
    with pytest.raises(UserError, match="needs a number of"):
        hierarchical(**settings)


def test_bad_motifs_and_origins_are_refused():
    with pytest.raises(UserError, match="a label a pair"):
        Motif(nodes=3, edges=("none",))
    with pytest.raises(UserError, match="no identity among the primitives conv"):
        identity_chains(hierarchical(primitives=["conv"]))

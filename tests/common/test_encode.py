"""Encodings are invertible on every space; graphs are named by their isomorphism class."""

import itertools
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.encode import Encoder, Graph
from common.errors import UserError
from common.space import decode, enumerate_all, sample
from tests.common.search.toys import SPACES


@pytest.mark.parametrize("key", SPACES)
def test_every_encoding_inverts(key):
    space = SPACES[key]
    encoder = Encoder(space)
    seen = set()
    for arch in enumerate_all(space):
        vector, indices, (ids, live) = encoder.one_hot(arch), encoder.ordinal(arch), encoder.tokens(arch)
        assert encoder.from_one_hot(vector) == arch
        assert encoder.from_ordinal(indices) == arch
        assert encoder.from_tokens(ids) == arch
        assert vector.shape == (encoder.width,) and (ids < encoder.vocabulary).all()
        assert live.tolist() == [path in arch for path in encoder.paths] == (indices >= 0).tolist()
        seen.add(vector.tobytes() + ids.tobytes())
    assert len(seen) == sum(1 for _ in enumerate_all(space))


def test_tokens_of_different_decisions_differ():
    encoder = Encoder(SPACES["flat"])
    arch = sample(SPACES["flat"], Random(0))
    ids, _ = encoder.tokens(arch)
    assert encoder.vocabulary == 16 and [i // 4 for i in ids] == [0, 1, 2, 3]


@pytest.mark.parametrize("key", ["flat", "nested", "subset", "repeat"])
def test_any_real_vector_decodes_to_a_valid_architecture(key):
    encoder = Encoder(SPACES[key])
    rng = np.random.default_rng(0)
    for _ in range(50):
        decode(SPACES[key], encoder.from_one_hot(rng.normal(size=encoder.width)))


def test_foreign_encodings_are_refused():
    encoder = Encoder(SPACES["flat"])
    with pytest.raises(UserError, match=r"shape \(3,\) does not fit"):
        encoder.from_one_hot(np.zeros(3))
    with pytest.raises(UserError, match="'0' is live but encoded as -1"):
        encoder.from_ordinal(np.full(4, -1))


def renumbered(graph: Graph, rng: Random) -> Graph:
    """A random topological renumbering."""
    left, order = set(range(len(graph.ops))), []
    while left:
        node = rng.choice(sorted(n for n in left if not any(a in left for a, b in graph.edges if b == n)))
        left.remove(node)
        order.append(node)
    place = {node: i for i, node in enumerate(order)}
    edges = [(place[a], place[b]) for a, b in graph.edges]
    rng.shuffle(edges)
    return Graph(tuple(graph.ops[node] for node in order), tuple(edges))


def graphs(nodes: int):
    pairs = list(itertools.combinations(range(nodes), 2))
    return st.builds(
        lambda ops, taken: Graph(tuple(ops), tuple(p for p, t in zip(pairs, taken, strict=True) if t)),
        st.lists(st.sampled_from(["conv", "pool"]), min_size=nodes, max_size=nodes),
        st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)),
    )


@given(st.integers(1, 7).flatmap(graphs), st.integers(0, 99))
def test_a_renumbering_keeps_the_name(graph, seed):
    other = renumbered(graph, Random(seed))
    assert other.canonical() == graph.canonical()
    assert other.fingerprint == graph.fingerprint
    assert sorted(graph.canonical().ops) == sorted(graph.ops)


def test_four_nodes_have_as_many_names_as_isomorphism_classes():
    """All numbered DAGs of 4 nodes with edges going up: brute force over permutations is the oracle."""
    pairs = list(itertools.combinations(range(4), 2))
    named: dict[str, set] = {}
    classes = set()
    for taken in itertools.product((0, 1), repeat=6):
        for ops in itertools.product("ab", repeat=4):
            edges = tuple(p for p, t in zip(pairs, taken, strict=True) if t)
            code = min(
                (tuple(ops[perm.index(i)] for i in range(4)), tuple(sorted((perm[a], perm[b]) for a, b in edges)))
                for perm in itertools.permutations(range(4))
            )
            classes.add(code)
            named.setdefault(Graph(ops, edges).fingerprint, set()).add(code)
    assert len(named) == len(classes) and all(len(codes) == 1 for codes in named.values())


def test_many_equal_nodes_are_no_trouble():
    assert Graph(("in", *["conv"] * 10, "out"), tuple((0, i) for i in range(1, 11))).canonical().ops[0] == "in"


def test_graph_errors_and_adjacency():
    assert Graph(("a", "b"), ((0, 1),)).adjacency().tolist() == [[0, 1], [0, 0]]
    with pytest.raises(UserError, match="edge 1 -> 0"):
        Graph(("a", "b"), ((1, 0),))
    with pytest.raises(UserError, match="repeat"):
        Graph(("a", "b"), ((0, 1), (0, 1)))

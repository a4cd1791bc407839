"""Architectures as arrays and back, for predictors and policies; cells as graphs with a name that isomorphic ones share.

Encoders of a conditional space have room for every decision that some architecture meets; decisions that are not live in the
one encoded leave their place empty. Decoding reads live decisions only, so it always gives a valid choice of options.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from common.space import Arch, Decision, ManyOf, decisions, record


@dataclass(slots=True)
class Encoder:
    """Arrays for the architectures of one space.

    Attributes:
        space: The description with open decisions.
        paths: Decision paths in the order of the arrays.
        width: Length of a one-hot vector.
        vocabulary: Number of tokens: one for each option of each decision.
    """

    space: Any
    paths: tuple[str, ...] = field(init=False)
    width: int = field(init=False)
    vocabulary: int = field(init=False)
    _decisions: dict[str, Decision] = field(init=False)
    _columns: dict[str, slice] = field(init=False)
    _tokens: dict[str, int] = field(init=False)
    _places: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._decisions = decisions(self.space)
        self.paths = tuple(self._decisions)
        self._places = {path: i for i, path in enumerate(self.paths)}
        self._columns, self._tokens = {}, {}
        self.width = self.vocabulary = 0
        for path, decision in self._decisions.items():
            span = len(decision.options)
            self._columns[path] = slice(self.width, self.width + span)
            self._tokens[path] = self.vocabulary
            self.width += span
            self.vocabulary += len(decision)

    def one_hot(self, arch: Arch) -> NDArray[np.float32]:
        """Vector of `width`: a 1 at the option taken (several for `ManyOf`), zeros where a decision is not live."""
        vector = np.zeros(self.width, dtype=np.float32)
        for path, index in arch.items():
            decision = self._decisions[path]
            taken = decision.subset(index) if isinstance(decision, ManyOf) else (index,)
            vector[self._columns[path]][list(taken)] = 1.0
        return vector

    def from_one_hot(self, vector: NDArray[np.floating]) -> Arch:
        """The inverse of `one_hot`, for any real vector: the largest entry wins; in a subset, entries above 0.5.

        Raises:
            UserError: The length is not `width`.
        """
        self._expect(vector, self.width)

        def oracle(path: str, decision: Decision) -> int:
            part = vector[self._columns[path]]
            if not isinstance(decision, ManyOf):
                return int(np.argmax(part))
            count = min(max(int((part > 0.5).sum()), decision.low), decision.high)
            return decision.rank(sorted(np.argsort(-part, kind="stable")[:count].tolist()))

        return record(self.space, oracle)

    def ordinal(self, arch: Arch) -> NDArray[np.int64]:
        """Option index of each decision in the order of `paths`, -1 where it is not live."""
        return np.array([arch.get(path, -1) for path in self.paths], dtype=np.int64)

    def from_ordinal(self, indices: NDArray[np.integer]) -> Arch:
        """The inverse of `ordinal`.

        Raises:
            UserError: A wrong length, or a live decision with an option that does not exist.
        """
        self._expect(indices, len(self.paths))

        def oracle(path: str, decision: Decision) -> int:
            index = int(indices[self._places[path]])
            if not 0 <= index < len(decision):
                raise UserError(f"decision {path!r} is live but encoded as {index}: give 0 to {len(decision) - 1}")
            return index

        return record(self.space, oracle)

    def tokens(self, arch: Arch) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Token of each decision in the order of `paths`, and whether it is live; the token is 0 where it is not."""
        live = np.array([path in arch for path in self.paths], dtype=np.bool_)
        ids = [self._tokens[path] + arch[path] if path in arch else 0 for path in self.paths]
        return np.array(ids, dtype=np.int64), live

    def from_tokens(self, ids: NDArray[np.integer]) -> Arch:
        """The inverse of `tokens`; the mask is not needed.

        Raises:
            UserError: A wrong length, or a live decision with a token of another one.
        """
        self._expect(ids, len(self.paths))
        return self.from_ordinal(np.asarray(ids) - np.array([self._tokens[path] for path in self.paths], dtype=np.int64))

    def _expect(self, array: NDArray[Any], length: int) -> None:
        if array.shape != (length,):
            raise UserError(f"an encoding of shape {array.shape} does not fit this space: give ({length},)")


@dataclass(frozen=True, slots=True)
class Graph:
    """A cell: node i applies `ops[i]`; edges go from a lower to a higher node.

    Attributes:
        ops: Operation of each node.
        edges: (from, to) pairs, from < to.
    """

    ops: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        for a, b in self.edges:
            if not 0 <= a < b < len(self.ops):
                raise UserError(f"graph edge {a} -> {b}: needs 0 <= from < to < {len(self.ops)}; number nodes in order")
        if len(set(self.edges)) != len(self.edges):
            raise UserError(f"graph edges {self.edges} repeat one: list every edge once")

    def adjacency(self) -> NDArray[np.int8]:
        """Matrix of shape (nodes, nodes), 1 at [from, to]."""
        matrix = np.zeros((len(self.ops), len(self.ops)), dtype=np.int8)
        for a, b in self.edges:
            matrix[a, b] = 1
        return matrix

    def canonical(self) -> Graph:
        """The same graph for every numbering of its nodes: equal exactly for isomorphic graphs with equal operations.

        Colour refinement, then branching over what it leaves open; for cells of a dozen nodes.
        """
        before: list[set[int]] = [set() for _ in self.ops]
        after: list[set[int]] = [set() for _ in self.ops]
        for a, b in self.edges:
            before[b].add(a)
            after[a].add(b)
        depth = [0] * len(self.ops)
        for node in range(len(self.ops)):
            depth[node] = 1 + max((depth[p] for p in before[node]), default=-1)
        colors = _ranks([(d, op) for d, op in zip(depth, self.ops, strict=True)])  # by depth: edges keep going up
        ops, edges = min(self._numberings(colors, before, after))
        return Graph(ops, edges)

    @property
    def fingerprint(self) -> str:
        """A short name that isomorphic graphs share."""
        same = self.canonical()
        return hashlib.sha256(json.dumps([same.ops, same.edges]).encode()).hexdigest()[:12]

    def _numberings(
        self, colors: list[int], before: list[set[int]], after: list[set[int]]
    ) -> list[tuple[tuple[str, ...], tuple[tuple[int, int], ...]]]:
        while True:
            refined = _ranks(
                [(c, sorted(colors[p] for p in before[i]), sorted(colors[s] for s in after[i])) for i, c in enumerate(colors)]
            )
            if refined == colors:
                break
            colors = refined
        shared = [c for c in colors if colors.count(c) > 1]
        if not shared:
            order = sorted(range(len(colors)), key=colors.__getitem__)
            place = {node: i for i, node in enumerate(order)}
            edges = tuple(sorted((place[a], place[b]) for a, b in self.edges))
            return [(tuple(self.ops[node] for node in order), edges)]
        found = []
        tried: set[tuple[frozenset[int], frozenset[int]]] = set()
        for node in (i for i, c in enumerate(colors) if c == min(shared)):
            twin = (frozenset(before[node]), frozenset(after[node]))
            if twin not in tried:  # swapping twins changes nothing
                tried.add(twin)
                alone = [2 * c - (i == node) for i, c in enumerate(colors)]
                found += self._numberings(_ranks(alone), before, after)
        return found


def _ranks(keys: Sequence[Any]) -> list[int]:
    order = {json.dumps(key): None for key in sorted(keys)}
    place = {name: i for i, name in enumerate(order)}
    return [place[json.dumps(key)] for key in keys]

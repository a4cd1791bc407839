"""Node classification as a task of the core: networks of the PDNAS space on one data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Literal

import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn

from common.cost.bounds import refuse_below
from common.cost.count import count
from common.errors import UserError
from common.objective import Objective
from common.overrides import override
from common.space import Arch, decode
from common.stages.tune import combinations
from common.streams import numpy_stream
from common.supernet import opened
from graphs.data import NodeData, load
from graphs.data.masks import recut
from graphs.export import export
from graphs.geometric import Data, degree
from graphs.pdnas.model import build, check
from graphs.pdnas.opened import ring, space_of
from graphs.pdnas.phases import Graph, Nodes, loss_of, right, scored
from graphs.pdnas.settings import Settings
from graphs.pdnas.space import arch_of, by_hand, cheapest
from graphs.pictures import draw_results

if TYPE_CHECKING:
    from common.task import Phase, SplitName

SPARSE = 0.1
"""Features of which a smaller share is not 0 are kept as a sparse matrix: the same numbers, in a tenth of the time on Cora."""


class GraphTask:
    """See `common.task.PresentedTask` and `common.task.TunedTask`."""

    kind = "graphs"

    def __init__(self, settings: Settings, data: NodeData | None = None) -> None:
        """Reads the data.

        Args:
            settings: of the run.
            data: what was read already; of the settings' data set if None.

        Raises:
            UserError: the data cannot be used, or do not fit the settings.
        """
        self.settings = settings
        self.data = load(settings.data.folder, settings.data.name) if data is None else data
        self.space = space_of(settings, self.data.features, len(self.data.classes))
        check(opened(self.space))
        quality = Objective("f1") if self.data.multilabel else Objective("accuracy")
        self.objectives = (quality, Objective("params", "min"))
        try:
            self.baseline = self._hand_made("GCN")
        except UserError as error:
            raise UserError(f"the space has no GCN, which networks are compared with ({error}); open its values") from None
        self._costs: dict[Arch, dict[str, int]] = {}
        self._check_tuning()

    def _check_tuning(self) -> None:
        """Refuses what only the stages after the search would trip over."""
        if self.settings.cuts > 1 and not self.data.transductive:
            raise UserError(
                f"cuts={self.settings.cuts}: the splits of {self.data.name} are graphs of their own, never cut anew; "
                "set derive.cuts (or search.cuts) and tune.cuts to 1"
            )
        s, known = self.settings, ("accuracy", "loss", *(["f1"] if self.data.multilabel else []))
        for words in combinations(replace(s.tune, most=0), Random(0)):
            tuned = override(s, words)
            if (tuned.space, tuned.data) != (s.space, s.data):
                raise UserError(f"tune.grid: {' '.join(words)} changes the networks; tune settings of training alone")
            if tuned.train.stop is not None and tuned.train.stop.metric not in known:
                raise UserError(
                    f"train.stop.metric={tuned.train.stop.metric}: the task measures {', '.join(known)}; name one of them"
                )

    def supernet(self, seed: int) -> nn.Module:
        """The network with every decision open."""
        return build(opened(self.space), seed)

    def network(self, arch: Arch, seed: int) -> nn.Module:
        """The network of an architecture."""
        return build(decode(self.space, arch), seed)

    def phases(self, kind: Literal["supernet", "standalone"]) -> Sequence[Phase]:
        """In a search the weights learn from the training nodes and the architecture from the validation nodes."""
        s, graphs = self.settings, self.graphs
        if kind == "standalone":
            return [Nodes(name="train", settings=s.train, graphs=graphs["train"])]
        return [
            Nodes(name=name, settings=s.weights, graphs=graphs[split])
            for name, split in (("weights", "train"), ("architecture", "val"))
        ]

    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """Share of nodes whose class is found (0..1; micro-averaged F1 as well where nodes have several), and the mean loss.

        Args:
            network: in eval mode.
            split: whose nodes count.
            limit: only its first graphs.
        """
        device = next(network.parameters()).device
        graphs = [_moved(graph, device) for graph in self.graphs[split][:limit]]
        with torch.no_grad():
            scores, labels = scored(network, graphs)
        exact = labels.double() if self.data.multilabel else labels
        found = {
            "accuracy": float(right(scores, labels).double().mean()),
            "loss": float(loss_of(scores.double(), exact)),
        }
        if self.data.multilabel:
            found["f1"] = float(f1_score(labels.cpu().numpy() > 0.5, scores.cpu().numpy() > 0, average="micro"))
        return found

    def costs(self, arch: Arch) -> dict[str, int]:
        """Parameters, and multiply-adds of linear layers for all nodes of the first test graph, features taken as dense.

        They are counted, network by network: every weight depends on a width, its neighbours' and the heads, so that tables of
        prices (`common.cost.price`) have an entry for almost every network and are slower.
        """
        if arch not in self._costs:
            with torch.device("meta"):
                cost = count(build(decode(self.space, arch)), self._example)
            self._costs[arch] = {"params": cost.params, "macs": cost.macs}
        return self._costs[arch]

    def check_budget(self, metric: str, upper: float) -> None:
        """See `common.stages.run.RunTask`."""
        refuse_below(self.costs(cheapest(self.space))[metric], metric, upper)

    def tuned(self, words: Sequence[str]) -> GraphTask:
        """See `common.task.TunedTask`; the graphs are shared."""
        other = GraphTask(override(self.settings, words), self.data)
        other.__dict__["graphs"] = self.graphs
        return other

    def recut(self, number: int) -> GraphTask:
        """See `common.task.RecutTask`: other nodes of train and val learn, as many of every class as the own split has."""
        (train,), (val,) = self.data.train, self.data.val
        labels = None if self.data.multilabel else train["y"].numpy()
        masks = recut(labels, train["mask"], val["mask"], numpy_stream(0, "recut", number))
        other = GraphTask(self.settings, self.data)
        split = {name: [(*self.graphs[name][0][:3], mask)] for name, mask in zip(("train", "val"), masks, strict=True)}
        other.__dict__["graphs"] = {**self.graphs, **split}
        return other

    def hand_made(self) -> dict[str, Arch]:
        """Networks of one operator that are values of the space, besides the baseline, GCN."""
        found: dict[str, Arch] = {}
        for name in ("GAT", "SAGE", "ARMA", "APPNP"):
            try:
                found[name] = self._hand_made(name)
            except UserError:  # not in this space
                continue
        return found

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """See `graphs.pictures.draw_results`; `count` of 0 draws none."""
        folder.mkdir(parents=True, exist_ok=True)
        if not count:
            return []
        with torch.no_grad():
            scores, labels = scored(network, self.graphs["test"])
        degrees = torch.cat([degree(graph["edge_index"][1], len(graph["x"]))[graph["mask"]] for graph in self.data.test])
        return draw_results(scores, labels, degrees, self.data.classes, folder)

    def export(self, network: nn.Module, folder: Path) -> float:
        """See `graphs.export.export`."""
        return export(network, ring(self.data.features), self.data.classes, self.data.multilabel, folder).max_abs_diff

    def _hand_made(self, name: str) -> Arch:
        s = self.settings.space
        network = by_hand(name, self.data.features, len(self.data.classes), s.blocks)
        return arch_of(self.space, network)

    @cached_property
    def graphs(self) -> dict[str, list[Graph]]:
        """Split -> its graphs as networks take them."""
        kept: dict[int, Tensor] = {}  # the splits of one graph share its features
        return {
            split: [_graph(data, kept) for data in part]
            for split, part in (("train", self.data.train), ("val", self.data.val), ("test", self.data.test))
        }

    @cached_property
    def _example(self) -> tuple[Tensor, Tensor]:
        graph = self.data.test[0]
        return graph["x"].to("meta"), graph["edge_index"].to("meta")


def _graph(data: Data, kept: dict[int, Tensor]) -> Graph:
    x: Tensor = data["x"]
    if id(x) not in kept:
        kept[id(x)] = x.to_sparse_csr() if float((x != 0).float().mean()) < SPARSE else x
    return kept[id(x)], data["edge_index"], data["y"], data["mask"]


def _moved(graph: Graph, device: torch.device) -> Graph:
    x, edges, labels, mask = graph
    return x.to(device), edges.to(device), labels.to(device), mask.to(device)

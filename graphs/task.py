"""Node classification: data, metrics and pictures, for the networks of any system."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from common.objective import Objective
from common.system_task import SystemTask
from graphs.data import NodeData, load
from graphs.data.nodes import Graph
from graphs.facts import GraphFacts
from graphs.geometric import degree
from graphs.phases import loss_of, right, scored
from graphs.pictures import draw_results

if TYPE_CHECKING:
    from common.data.digits import SplitName as EverySplit
    from common.task import SplitName


class GraphTask(SystemTask):
    """Node classification on one data set. The settings of its systems have `data`."""

    kind = "graphs"
    facts_of = GraphFacts

    @staticmethod
    def read(settings: Any) -> NodeData:
        """See `graphs.data.load`."""
        return load(settings.data.folder, settings.data.name, settings.data.normalise)

    @property
    def facts(self) -> GraphFacts:
        """See `SystemTask.facts`."""
        data: NodeData = self.data
        return GraphFacts(
            features=data.features,
            classes=data.classes,
            multilabel=data.multilabel,
            counted_nodes=data.counted_nodes,
            normalised=data.normalised,
            scale=self._scale,
        )

    @cached_property
    def _scale(self) -> tuple[float, float, float]:
        data: NodeData = self.data
        return data.arrays.scale()

    @property
    def own_objectives(self) -> tuple[Objective, ...]:
        """Accuracy (micro-averaged F1 where nodes have several classes), and parameters."""
        return (Objective("f1" if self.data.multilabel else "accuracy"), Objective("params", "min"))

    @property
    def scores(self) -> Sequence[str]:
        """See `SystemTask.scores`."""
        return ("accuracy", "loss", "f1") if self.data.multilabel else ("accuracy", "loss")

    @property
    def graphs(self) -> dict[EverySplit, list[Graph]]:
        """Split name -> its graphs as networks take them."""
        return self.data.inputs

    def recut(self, number: int) -> NodeData:
        """See `graphs.data.NodeData.recut`."""
        return self.data.recut(number)

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
            from sklearn.metrics import f1_score  # a second, which graphs of one class a node need not wait for

            found["f1"] = float(f1_score(labels.cpu().numpy() > 0.5, scores.cpu().numpy() > 0, average="micro"))
        return found

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """See `graphs.pictures.draw_results`; a `count` of 0 draws none."""
        folder.mkdir(parents=True, exist_ok=True)
        if not count:
            return []
        with torch.no_grad():
            scores, labels = scored(network, self.graphs["test"])
        degrees = torch.cat([degree(graph["edge_index"][1], len(graph["x"]))[graph["mask"]] for graph in self.data.test])
        return draw_results(scores, labels, degrees, self.data.classes, folder)


def _moved(graph: Graph, device: torch.device) -> Graph:
    x, edges, labels, mask = graph
    return x.to(device), edges.to(device), labels.to(device), mask.to(device)

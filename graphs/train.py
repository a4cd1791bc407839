"""Search, train and describe graph networks: `python -m graphs.train pdnas --recipe smoke`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro

from common.errors import UserError
from common.options import RunOptions, settings_of
from common.script import describe_system, main
from graphs.pdnas.settings import RECIPES
from graphs.systems import SYSTEMS


def pdnas(run: RunOptions, name: str | None = None) -> None:
    """PDNAS: search blocks and the shortcuts between them by gradients (arXiv 2003.09676), from a graph to a report.

    Args:
        run: what to run, where and how.
        name: data set in the folder (Cora, CiteSeer, PubMed), or one of PyG by its import path, package.module:Class.
    """
    _search("pdnas", run, name)


def graphnas(run: RunOptions, name: str | None = None) -> None:
    """GraphNAS: the same space searched by REINFORCE, candidates trained from scratch (arXiv 1904.09981).

    Args:
        run: what to run, where and how.
        name: data set in the folder (Cora, CiteSeer, PubMed), or one of PyG by its import path, package.module:Class.
    """
    _search("graphnas", run, name)


def evolution(run: RunOptions, name: str | None = None) -> None:
    """Aging evolution in the same space, candidates trained from scratch (arXiv 1802.01548).

    Args:
        run: what to run, where and how.
        name: data set in the folder (Cora, CiteSeer, PubMed), or one of PyG by its import path, package.module:Class.
    """
    _search("evolution", run, name)


def halving(run: RunOptions, name: str | None = None) -> None:
    """Successive halving of random candidates in the same space, trained from scratch (arXiv 1502.07943).

    Args:
        run: what to run, where and how.
        name: data set in the folder (Cora, CiteSeer, PubMed), or one of PyG by its import path, package.module:Class.
    """
    _search("halving", run, name)


def random(run: RunOptions, name: str | None = None) -> None:
    """Random search in the same space, candidates trained from scratch (arXiv 1902.07638).

    Args:
        run: what to run, where and how.
        name: data set in the folder (Cora, CiteSeer, PubMed), or one of PyG by its import path, package.module:Class.
    """
    _search("random", run, name)


def _search(method: str, run: RunOptions, name: str | None) -> None:
    settings = settings_of(RECIPES[method], run, lambda s: replace(s, data=replace(s.data, name=name)))
    from graphs.pdnas import pipeline

    pipeline.run(settings, run)


def describe(
    system: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SYSTEM")],
    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")],
    data: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None,
    name: str | None = None,
    graph: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
) -> None:
    """Parameters and MACs of an architecture (of: pdnas) as one JSON object, without training.

    Args:
        system: name of the system: pdnas.
        arch: GCN, GAT, SAGE, ARMA or APPNP, or a file with an architecture.
        data: folder of a data set, whose features and classes are taken.
        name: of the data set in it.
        graph: without data: Cora (the default), CiteSeer, PubMed, or features and classes, 1433x7 say.
    """
    if data is not None or name is not None:
        if graph is not None:
            raise UserError("--graph and --data both say which graph; give one of them")
        from graphs.data import load

        found = load(data, name)
        graph = f"{found.features}x{len(found.classes)}"
    describe_system(SYSTEMS, system, arch, graph)


COMMANDS = {
    "pdnas": pdnas,
    "graphnas": graphnas,
    "evolution": evolution,
    "halving": halving,
    "random": random,
    "describe": describe,
}
"""What can be asked for on the command line."""

if __name__ == "__main__":
    main("python -m graphs.train", COMMANDS)

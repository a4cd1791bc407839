"""The smallest search on a graph that goes through every stage, and how to run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.commands import run_commands
from common.engines import Gradient
from common.stages.settings import PhaseSettings, RetrainSettings, SearchSettings, StopSettings, TuneSettings
from common.train.optim import OptimSettings
from graphs.data import NodeData, stochastic_blocks
from graphs.geometric import Data, InMemoryDataset
from graphs.pdnas.recipes import RECIPES
from graphs.pdnas.settings import NetworkSettings, Settings
from graphs.pdnas.space import SpaceSettings
from graphs.pdnas.system import SYSTEM
from graphs.systems import SYSTEMS
from graphs.task import GraphTask
from tests.common.run.killing import forked
from tests.common.run.rows import rows

DATA = "tests.graphs.micro:Blocks"
_SETTINGS = """
space.extended=true space.widths=[16] space.heads=[1,2] network.dropout=0.4 network.attention_dropout=0.2 pictures=2 save_every=2
weights.steps=6 train.steps=8 train.stop={"patience":6,"every":2} train.optim.lr=0.05
tune.grid={"network.dropout":[0.0,0.4]} retrain.random_archs=1 retrain.seeds=1
"""
NO_RANDOM = "search.random_baseline=false"
_SEARCH = {
    "pdnas": ["search.engine.snapshots=3", "search.engine.arch.begin=0.2", "search.engine.derive=null", NO_RANDOM],
    "halving": ["search.trials=3", *(f"search.engine.{word}" for word in ("candidates=2", "eta=2", "shares=[0.5,1.0]"))],
}
DERIVE = 'search.engine.derive={"engine":{"candidates":2,"eta":2,"shares":[0.5,1.0]},"trials":3}'
"""Two candidates of PDNAS are trained for half the steps, and one of them for all."""
PRICED = ["space.extended=false", "space.widths=[16,64]", "space.heads=[1]"]
"""Of a space that is quickly priced."""
NAMES = ["searched", "random 1", "baseline", "ARMA"]
"""Of the networks that a micro run retrains: of the hand-made ones, GCN and ARMA are in its space."""


def blocks() -> NodeData:
    """Sixty nodes of three classes."""
    return stochastic_blocks(60, 3, features=8, degree=4.0, per_class=6, val=18, test=24)


class Blocks(InMemoryDataset):
    """The same for a command line."""

    def __init__(self) -> None:
        super().__init__(None)
        splits = {split: graph for split, (graph,) in blocks().splits.items()}
        masks = {f"{split}_mask": graph["mask"] for split, graph in splits.items()}
        graph = splits["train"]
        self.data, self.slices = self.collate([Data(x=graph["x"], edge_index=graph["edge_index"], y=graph["y"], **masks)])


def settings_of(method: str = "pdnas") -> list[str]:
    """Of a run that takes a second or two."""
    return [*_SETTINGS.split(), *_SEARCH.get(method, ["search.trials=3"])]


def words(
    out: Path, *more: str, method: str = "pdnas", settings: Sequence[str] = (), data: Sequence[str] = (), workers: int = 0
) -> list[str]:
    """The command line of a micro run; `more` may not end in a list of values, `settings` take the place of the method's."""
    source = data or ("--name", DATA)
    run = ["--workers", str(workers), "--quiet", "--device", "cpu", "--out", str(out)]
    return [method, *source, *run, *more, "--set", *settings_of(method), *settings]


def call(argv: Sequence[str]) -> None:
    """The train script in this process."""
    run_commands("python -m graphs.train", SYSTEMS, argv)


def child(argv: Sequence[str], before: Callable[[], object]) -> int:
    """The id of a child process that does `before` and then runs the train script."""

    def work() -> None:
        before()
        call(argv)

    return forked(work)


def tiny(method: str = "pdnas", **changes: Any) -> Settings:
    """The settings of a micro run, its data apart."""
    s = RECIPES[method]["smoke"]()
    optim = OptimSettings(name="adam", lr=0.05, weight_decay=5e-4, schedule="constant")
    s = replace(
        s,
        budget={},
        space=SpaceSettings(extended=True, widths=(16,), heads=(1, 2)),
        network=NetworkSettings(dropout=0.4, attention_dropout=0.2),
        weights=PhaseSettings(steps=6, batch=1, optim=optim),
        train=PhaseSettings(steps=8, batch=1, optim=optim, stop=StopSettings(patience=6, every=2)),
        search=quick(s.search),
        tune=TuneSettings(grid={"network.dropout": (0.0, 0.4)}),
        retrain=RetrainSettings(random_archs=1, seeds=1),
    )
    return replace(s, **changes)


def quick(search: SearchSettings) -> SearchSettings:
    """The search of a micro run."""
    engine = search.engine
    return replace(search, trials=3, engine=replace(engine, snapshots=3, derive=None) if isinstance(engine, Gradient) else engine)


def task_of(settings: Settings, data: NodeData | None = None) -> GraphTask:
    """The task of a run, on sixty nodes by default; it writes no weights."""
    return GraphTask(SYSTEM, settings, Path("nowhere"), blocks() if data is None else data)


def results(path: Path) -> dict[str, Any]:
    """Everything a run computed, wall-clock seconds and the export apart."""
    names = [file.stem for file in path.glob("*.jsonl") if file.stem != "sessions"]
    found: dict[str, Any] = {name: rows(path, name) for name in names}
    found["stages"] = [{**row, "result": {}} if row["stage"] == "export" else row for row in found["stages"]]
    files = (*path.glob("weights/*"), *path.glob("retrained/*.safetensors"), *path.glob("samples/*"), *path.glob("*.svg"))
    for file in (*files, *path.glob("strengths.json"), *path.glob("snapshots.json"), *path.glob("best/*.safetensors")):
        found[str(file.relative_to(path))] = file.read_bytes()
    return found


def order(path: Path, *wanted: str) -> list[str]:
    """The finished stages of a run among `wanted`, in the order they were done."""
    return [row["stage"] for row in rows(path, "stages") if row["stage"] in wanted]

"""Files of a run folder: read by the report, by a resume, by export and predict, and by a training that goes on."""

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image
from torch import nn

from common.arch import from_labels, labels, load
from common.differentiable.candidates import strengths_of
from common.reading import Run
from common.run.checkpoint import Checkpoint, load_weights, save_weights
from common.run.digests import digest_of
from common.run.files import write_json
from common.run.folder import RunFolder
from common.run.progress import Progress
from common.run.report import compare, write_report
from common.run.stages import run_stages, seconds_before
from common.search.base import Trial
from common.space import ManyOf, OneOf, sample
from common.stages.reload import reload, retrained
from common.streams import stream
from common.train.fit import fit
from common.train.step import Losses
from tests.common.run.report.make_run import make_run
from tests.fuzz.case import Case, cleared

OLD = [Path(__file__).parents[1] / "old_runs" / name for name in ("darts", "pdnas", "gan")]
SPACE = {"kernel": OneOf(3, 5, 7), "ops": ManyOf(("a", "b", "c"), 1, 2), "width": OneOf(8, 16)}
CONFIG = {"task": "toy", "system": "toy", "seed": 0, "settings": {"steps": 3}, "environment": {"versions": {"torch": "1"}}}
ROW = {
    "name": "searched",
    "kind": "searched",
    "seed": 0,
    "val": {"accuracy": 0.5},
    "test": {"accuracy": 0.4},
    "inherited": {},
    "seconds": 1.0,
}
JSON = ("*.json", "*.jsonl", "*/*.json", "*/*.jsonl")


@cache
def space_of(run: Path) -> Any:
    """The space of an old run."""
    return reload(run).space


def _toy(folder: Path) -> None:
    with RunFolder.create(folder / "run", CONFIG, SPACE) as run:
        for i in range(4):
            scores = {} if i == 2 else {"accuracy": 0.1 * i}
            trial = Trial(
                id=i, arch=sample(SPACE, stream(0, i)), scores=scores, cost={"macs": 10 + i}, fidelity="full", parents=(0,)
            )
            trial = replace(trial, status="failed", error="ValueError: bad") if i == 2 else trial
            run.append_trial(trial)
            run.append_trial(trial, "random.jsonl")
            run.append_metrics("train", i, {"loss": 1.0 / (i + 1)})
        arch = labels(SPACE, sample(SPACE, stream(0, 0)))
        run.append_retrained({**ROW, "arch": arch, "cost": {"macs": 10}})
        run.log("sessions.jsonl").append({"stage": "search", "event": "start", "at": 1.0})
        run.log("sessions.jsonl").append({"stage": "search", "event": "tick", "seconds": 2.0})
        run.finish("search", {"arch": arch, "best": 3, "chosen": {"searched": ["a=1"]}, "note": "a note"}, 2.0)
        run.log("tuned.jsonl").append({"name": "searched", "seed": 0, "words": ["a=1"], "val": {"accuracy": 0.5}, "seconds": 1.0})
        run.log("inherited.jsonl").append({"arch": arch, "scores": {"accuracy": 0.5}})
        write_json(folder / "run" / "strengths.json", {"kernel": [0.2, 0.3, 0.5], "width": [0.5, 0.5]})


def _resume(folder: Path, rng: Random) -> None:
    with RunFolder.resume(folder / "run", CONFIG, SPACE) as run:
        run_stages([], run, Progress(quiet=True), None, "again")
        for name in ("trials.jsonl", "random.jsonl"):
            run.trials(name)
        if run.done("search"):
            from_labels(SPACE, run.result_of("search", "arch"), "stages.jsonl")
            run.result_of("search", "chosen")
        for name in ("tuned", "inherited", "retrained"):
            run.log(f"{name}.jsonl").rows()
        for row in run.log("inherited.jsonl").rows():
            from_labels(SPACE, row["arch"], "inherited.jsonl")
        seconds_before(run, "search")
        strengths_of({name: SPACE[name] for name in ("kernel", "width")}, folder / "run" / "strengths.json")


def _report(folder: Path, rng: Random) -> None:
    compare([folder / "run"])
    run = Run(folder / "run")
    for read in (run.retrained, run.trials, run.best, run.arch, run.cost, lambda: run.finished):
        read()
    if rng.random() < 0.1:
        write_report(folder / "run")


def _trained(old: Path, run: Path) -> None:
    shutil.copytree(old, run)
    reloaded = reload(run)
    arch = load(run / "best" / "arch.json", reloaded.space)
    (run / "retrained").mkdir()
    network = reloaded.network(arch)
    save_weights(run / "best" / "model.safetensors", network)
    save_weights(run / "retrained" / "searched-0.safetensors", network)
    (run / "retrained.jsonl").write_text(json.dumps({**ROW, "arch": labels(reloaded.space, arch), "cost": {}}) + "\n")


def _runs(folder: Path) -> None:
    for old in OLD:
        _trained(old, folder / old.name)
    Image.new("RGB", (40, 40), (9, 99, 199)).save(folder / "picture.png")
    (folder / "whole").mkdir()
    for old in OLD:
        shutil.copytree(folder / old.name, folder / "whole" / old.name)


def _predict(folder: Path, rng: Random) -> None:
    """As `predict` and `Run(...).network` do, on the run that is damaged; on the first one if none is."""
    odd = [old for old in OLD if _differ(folder / old.name, folder / "whole" / old.name)]
    run = folder / (odd or OLD)[0].name
    reloaded = reload(run)
    retrained(run, reloaded, "searched", 0)
    network = reloaded.network(load(run / "best" / "arch.json", reloaded.space))
    load_weights(run / "best" / "model.safetensors", network)
    if run.name != "pdnas":
        list(reloaded.predict(network.eval(), [folder / "picture.png"], cleared(folder / "out")))


def _differ(one: Path, other: Path) -> bool:
    return any(file.read_bytes() != (other / file.relative_to(one)).read_bytes() for file in one.rglob("*") if file.is_file())


def _training(checkpoint: Checkpoint) -> None:
    model = nn.Linear(2, 1)
    fit(
        Losses(model, lambda m, x, step: {"loss": m(x).square().mean()}),
        batch_at=lambda number: torch.ones(2, 2),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        schedule=lambda fraction: 1.0,
        steps=4,
        checkpoint=checkpoint,
    )


def _checkpoint(folder: Path) -> None:
    _training(Checkpoint(folder / "net"))


def _go_on(folder: Path, rng: Random) -> None:
    """Half of the time the digests are those of the damaged files: another program may have written them."""
    with TemporaryDirectory() as scratch:
        net = Path(scratch) / "net"
        shutil.copytree(folder / "net", net)
        if rng.random() < 0.5:
            try:
                state = json.loads((net / "state.json").read_bytes())
                state["files"] = {name: digest_of((net / name).read_bytes()) for name in ("weights.safetensors", "optimizer.pt")}
                (net / "state.json").write_text(json.dumps(state))
            except (ValueError, TypeError, KeyError, RecursionError):
                pass
        _training(Checkpoint(net))


CASES = (
    Case(name="resume", make=_toy, read=_resume, files=("run/*.json", "run/*.jsonl"), share=14),
    Case(name="report", make=lambda f: make_run(f / "run"), read=_report, files=tuple(f"run/{kind}" for kind in JSON), share=10),
    Case(
        name="predict",
        make=_runs,
        read=_predict,
        files=tuple(f"{old.name}/{kind}" for old in OLD for kind in (*JSON, "*/*.safetensors")),
        share=10,
    ),
    Case(name="checkpoint", make=_checkpoint, read=_go_on, files=("net/*",), share=6),
)

"""Other pyramids trained as a NAS-FPN run has trained its networks: `python -m tests.bench.necks RUN`.

Same backbone, head, width, repeats, steps, seeds and data: the plain FPN and BiFPN of separable convolutions, and the run's found
and published pyramids with separable convolutions as well, so that the wiring alone differs. Rows go to `RUN/necks.jsonl`; a
training that is there is not repeated. The table that is printed has the run's own networks too.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch

from common.arch import from_labels
from common.cost.conventions import conv_linear
from common.describe import counted
from common.overrides import from_plain
from common.run.files import Jsonl, read_json
from common.script import spoken_errors
from common.space import decode
from common.stages.reload import current
from common.streams import derive
from common.system import system_of
from common.train.phase import train_phase
from detection.build import build, fast
from detection.description import DetectorNet
from detection.necks.layered import BiFPN, BiFPNLayer
from detection.necks.merges import NASFPN, PUBLISHED
from detection.necks.wirings import arch_of
from detection.task import DetectionTask


def others(task: DetectionTask, found: Mapping[str, str]) -> dict[str, DetectorNet]:
    """The networks that the run has not, by name; BatchNorm of all has the run's own share of a batch.

    Args:
        task: of the run.
        found: decision -> label of the architecture that the run has found.
    """
    pyramid = task.settings.pyramid
    nets = {"searched": from_labels(task.space, found), "published": arch_of(task.space, PUBLISHED)}
    result = {}
    for name, arch in nets.items():
        net = decode(task.space, arch)
        assert isinstance(net.neck, NASFPN)
        result[f"{name}, separable"] = replace(net, neck=replace(net.neck, lite=True))
    net = result["searched, separable"]
    plain = BiFPN(width=pyramid.width, levels=pyramid.levels, layers=(BiFPNLayer(fusion="sum"),) * pyramid.stacks, wiring="fpn")
    both_ways = replace(plain, layers=(BiFPNLayer(fusion="fast"),) * pyramid.stacks, wiring="bifpn")
    result["FPN, separable"] = replace(net, neck=plain, momentum=0.1)
    result["BiFPN"] = replace(net, neck=both_ways, momentum=0.1)
    return result


def trained(task: DetectionTask, net: DetectorNet, seed: int) -> dict[str, Any]:
    """Scores of a network trained as the run trains its own."""
    number = derive(task.settings.seed, "retrain", seed)
    network = fast(net, number)
    for phase in task.phases("standalone"):
        train_phase(network, phase, seed=number)
    network.eval()
    return {split: task.metrics(network, split) for split in ("val", "test")}


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; None reads the process's own."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.necks", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("run", type=Path, help="folder of a NAS-FPN run that has retrained its networks")
    return parser.parse_args(arguments)


def main() -> None:
    run: Path = parsed(None).run
    torch.set_num_threads(1)
    config = read_json(run / "config.json")
    system = system_of("detection", "nas-fpn", str(run))
    settings = from_plain(system.settings, current(config, system), "settings")
    task = DetectionTask(system, settings, Path(tempfile.mkdtemp()))
    own = Jsonl(run / "retrained.jsonl").rows()
    log = Jsonl(run / "necks.jsonl")
    done = {(row["name"], row["seed"]) for row in log.rows()}
    nets = others(task, next(row["arch"] for row in own if row["name"] == "searched"))
    image = torch.empty(1, 3, *task.data.canvas, dtype=torch.uint8)
    for seed in range(settings.retrain.seeds):
        for name, net in nets.items():
            if (name, seed) not in done:
                cost = counted(lambda net=net: build(net), lambda: (image,), conv_linear)
                log.append(
                    {"name": name, "seed": seed, "cost": {"params": cost.params, "macs": cost.macs}, **trained(task, net, seed)}
                )
                print(f"{name} #{seed}", flush=True)
    metric = task.objectives[0].name
    print(f"| pyramid | parameters | MACs | test {metric} of each seed | mean | deviation |\n|---|---|---|---|---|---|")
    rows = [*own, *log.rows()]
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [row for row in rows if row["name"] == name]
        scores = [row["test"][metric] for row in mine]
        spread = stdev(scores) if scores[1:] else float("nan")
        cost = mine[0]["cost"]
        each = ", ".join(f"{score:.3f}" for score in scores)
        print(f"| {name} | {cost['params']:,} | {cost['macs'] / 1e6:.1f} M | {each} | {fmean(scores):.3f} | {spread:.3f} |")


if __name__ == "__main__":
    with spoken_errors("What was trained before is kept."):
        main()

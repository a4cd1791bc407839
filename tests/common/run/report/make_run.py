"""A run folder made of plausible numbers: small, complete and the same every time."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

from PIL import Image, ImageDraw

OPTIONS = ("shuffle3x3", "shuffle5x5", "shuffle7x7", "xception3x3")
DECISIONS = {f"stages.{stage}.blocks.{block}": list(OPTIONS) for stage, n in enumerate((2, 2, 3, 1)) for block in range(n)}
COSTS = {"shuffle3x3": 0.41e6, "shuffle5x5": 0.52e6, "shuffle7x7": 0.68e6, "xception3x3": 0.83e6}
LIMIT = 6e6

CONFIG = {
    "system": "detnas",
    "title": "DetNAS",
    "paper": "arXiv:1903.10979",
    "task": "detection",
    "recipe": "smoke",
    "seed": 0,
    "command": "python -m detection.train detnas --recipe smoke --seed 0 --out runs/detnas-smoke",
    "settings": {
        "space": "tiny",
        "search": {"trials": 40, "population": 10, "mutation_rate": 0.1},
        "pretrain": {"steps": 300, "learning_rate": 0.05, "batch": 64},
        "retrain": {"steps": 400, "seeds": [0, 1, 2]},
    },
    "objectives": [
        {"name": "AP50", "direction": "max", "unit": ""},
        {"name": "macs", "direction": "min", "unit": "MACs"},
    ],
    "constraints": [{"metric": "macs", "upper": LIMIT}],
    "environment": {
        "machine": {
            "system": "Linux x86_64",
            "cpu": "Example CPU",
            "cores": 2,
            "memory_gib": 7.8,
            "gpus": [],
            "torch_threads": 1,
        },
        "date": "2026-02-03",
        "versions": {"python": "3.11.9", "torch": "2.14.1", "mmdet": "3.3.0"},
    },
    "data": {"name": "embedded", "classes": 5, "train": 600, "val": 150, "test": 150},
    "notes": ["The supernet is pretrained on crops of the training boxes."],
}


def macs(arch: dict[str, str]) -> float:
    """The made-up cost of an architecture."""
    return 0.9e6 + sum(COSTS[option] for option in arch.values())


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    """Write one JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def make_run(path: Path) -> Path:
    """Fill folder `path` with a whole run and return it."""
    rng = random.Random(0)
    (path / "samples").mkdir(parents=True)
    (path / "best").mkdir()
    (path / "config.json").write_text(json.dumps(CONFIG))
    (path / "space.json").write_text(json.dumps({"fingerprint": "ab12cd34", "decisions": DECISIONS}))

    def draw() -> dict[str, str]:
        return {name: rng.choice(OPTIONS) for name in DECISIONS}

    def cheap() -> dict[str, str]:
        while macs(arch := draw()) > LIMIT:
            pass
        return arch

    def trial(index: int, arch: dict[str, str], lift: float, origin: str) -> dict[str, object]:
        failed = index in (7, 23)
        good = sum(option == "shuffle7x7" for option in arch.values()) + 0.6 * (arch["stages.2.blocks.0"] == "xception3x3")
        score = 0.32 + 0.035 * good + lift + rng.gauss(0, 0.012)
        return {
            "id": index,
            "arch": arch,
            "scores": {} if failed else {"AP50": round(score, 4), "AP": round(score * 0.55, 4)},
            "cost": {"macs": macs(arch), "params": round(macs(arch) / 37)},
            "fidelity": "val",
            "seconds": 0.8,
            "status": "failed" if failed else "ok",
            "error": "loss is not finite" if failed else "",
            "parents": [],
            "origin": origin,
        }

    trials = []
    for index in range(40):
        arch = draw()
        if index >= 10:
            parent = max(trials, key=lambda row: row["scores"].get("AP50", 0) - (row["cost"]["macs"] > LIMIT))["arch"]
            arch = {name: option if rng.random() < 0.8 else rng.choice(OPTIONS) for name, option in parent.items()}
        trials.append(trial(index, arch, 0.0, "mutation" if index >= 10 else "random"))
    write_rows(path / "trials.jsonl", trials)
    write_rows(path / "random.jsonl", [trial(100 + i, draw(), 0.0, "random") for i in range(40)])

    stages = {"pretrain": 41.3, "finetune": 52.8, "search": 32.1, "retrain": 118.4, "evaluate": 6.4}
    results = {"pretrain": {"top1": 0.912}, "search": {"trials": 40, "failed": 2, "front": 6}, "retrain": {"networks": 7}}
    write_rows(path / "stages.jsonl", [{"stage": s, "seconds": t, "result": results.get(s, {})} for s, t in stages.items()])
    metrics = []
    for stage, steps, start, end in (
        ("pretrain", 300, 1.7, 0.21),
        ("finetune", 250, 2.9, 0.7),
        ("retrain/searched/0", 400, 3.4, 0.08),
    ):
        for step in range(0, steps, 2):
            loss = end + (start - end) * math.exp(-5 * step / steps) * (1 + rng.gauss(0, 0.12))
            metrics.append({"stage": stage, "step": step, "values": {"loss": loss, "lr": 0.05 * (1 - step / steps)}})
    write_rows(path / "metrics.jsonl", metrics)

    feasible = [row for row in trials if row["status"] == "ok" and row["cost"]["macs"] <= LIMIT]
    best = max(feasible, key=lambda row: row["scores"]["AP50"])
    base = dict.fromkeys(DECISIONS, "shuffle3x3")
    nets = [("searched", "searched", best["arch"], 0.874, best["scores"]["AP50"]), ("all-3x3", "baseline", base, 0.852, 0.331)]
    nets += [
        (f"random-{i}", "random", cheap(), mean, got)
        for i, (mean, got) in enumerate([(0.861, 0.38), (0.848, 0.36), (0.866, 0.43), (0.855, 0.40)])
    ]
    rows = []
    for name, kind, arch, mean, inherited in nets:
        for seed in range(1 if kind == "random" else 3):
            test = round(mean + rng.gauss(0, 0.009), 4)
            rows.append(
                {
                    "name": name,
                    "kind": kind,
                    "seed": seed,
                    "arch": arch,
                    "inherited": {"AP50": inherited},
                    "val": {"AP50": round(test + 0.01, 4), "AP": round(test * 0.6, 4)},
                    "test": {"AP50": test, "AP": round(test * 0.59, 4)},
                    "cost": {"macs": macs(arch), "params": round(macs(arch) / 37), "macs_backbone": macs(arch) * 0.7},
                    "seconds": 16.9,
                }
            )
    write_rows(path / "retrained.jsonl", rows)

    (path / "best" / "arch.json").write_text(json.dumps({"space": "ab12cd34", "choices": best["arch"], "digests": {}}))
    (path / "best" / "metrics.json").write_text(json.dumps({"test": {"AP50": rows[0]["test"]["AP50"]}, "parity": 1.2e-6}))
    captions = []
    for index in range(6):
        picture = Image.new("RGB", (64, 64), (70 + 20 * index, 110, 150 - 15 * index))
        pen = ImageDraw.Draw(picture)
        for _ in range(2):
            x, y = rng.randrange(4, 34), rng.randrange(4, 34)
            pen.rectangle((x, y, x + 22, y + 22), outline=(255, 214, 10), width=1)
        picture.resize((256, 256), Image.Resampling.BICUBIC).save(path / "samples" / f"{index}.png")
        captions.append({"file": f"{index}.png", "caption": f"Scene {index}: 2 found, 2 true"})
    (path / "samples" / "samples.json").write_text(json.dumps(captions))
    return path

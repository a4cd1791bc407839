"""The page about the DARTS line on NAS-Bench-201, from the folder of `tests.bench.darts_line`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import numpy as np

from common.errors import UserError
from common.objective import kendall_tau
from common.run.environment import environment
from common.run.files import Jsonl
from common.script import spoken_errors
from common.streams import stream
from tests.bench.darts_line import COMMAND, DATA, SEARCH_SECONDS, accuracies
from tests.bench.darts_line_own import COMMAND as OWN
from tests.bench.darts_line_own import METHODS
from tests.bench.darts_line_own import STEPS as SEARCH_STEPS
from tests.bench.darts_line_settings import COLLAPSE, ENTRIES, FAST, IMAGES, LONG, RATE, STEPS
from tests.bench.out import check_out

Row = Mapping[str, Any]

GATED = ("darts", "one-level", "mile-nas", "fair-darts")
"""Methods of which the mean and the worst seed were bounded beforehand."""
LEAST_MEAN, LEAST = 92.3, 90.8
COLLAPSED = 3
"""Skip connections of six edges that are a collapse."""
RESAMPLES = 100_000


def yardsticks(table: Mapping[str, float], seeds: int) -> list[tuple[str, float]]:
    """What a search is measured against: (what, accuracy in percent)."""
    known = np.array(list(table.values()))
    rng = np.random.default_rng(stream(0, "yardsticks").getrandbits(64))
    means = rng.choice(known, (RESAMPLES, seeds)).mean(1)
    convolutions = [value for cell, value in table.items() if all("conv" in word for word in _operations(cell))]
    (all_3x3,) = [value for cell, value in table.items() if set(_operations(cell)) == {"nor_conv_3x3"}]
    return [
        (f"mean of all {len(known):,} cells", float(known.mean())),
        ("their median", float(np.median(known))),
        (f"95th percentile of the mean of {seeds} random cells", float(np.quantile(means, 0.95))),
        ("convolutions 3x3 on all edges", all_3x3),
        (f"mean of the {len(convolutions)} cells of convolutions alone", fmean(convolutions)),
        ("the best cell", float(known.max())),
    ]


def _operations(cell: str) -> list[str]:
    """The operations of a cell in its string form."""
    return [word.split("~")[0] for word in cell.replace("+", "").split("|") if word]


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation, where there is one."""
    return f"{fmean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def searches(rows: Sequence[Row]) -> list[str]:
    """The table of searches, the best mean first."""
    lines = [
        "| method | seeds | test accuracy, mean ± sd | worst to best seed | swing | skips | none | processor s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    of = {name: [row for row in rows if row["method"] == name and not row["long"]] for name in (*ENTRIES, "random")}
    for name in sorted((name for name in of if of[name]), key=lambda name: -fmean(row["test"] for row in of[name])):
        mine = of[name]
        tests = [row["test"] for row in mine]
        title = "random search" if name == "random" else ENTRIES[name].title
        late = [row["snapshots"][len(row["snapshots"]) // 2 :] for row in mine if row.get("snapshots")]
        swing = f"{median(max(part) - min(part) for part in late):.1f}" if late else ""
        skips, none = (fmean(row["cell"].count(word) for row in mine) for word in ("skip_connect", "none"))
        seconds = median(row["seconds"] for row in mine)
        lines.append(
            f"| {title} | {len(mine)} | {spread(tests)} | {min(tests):.2f} to {max(tests):.2f} | {swing} | {skips:.1f} | "
            f"{none:.1f} | {seconds:.0f} |"
        )
    return lines


def collapses(rows: Sequence[Row]) -> list[str]:
    """The table of searches at the rate and for the steps at which DARTS collapses."""
    lines = ["| method | skips of six edges, by seed | test accuracy, by seed | mean ± sd | ends |", "|---|---|---|---:|---|"]
    for name in COLLAPSE:
        if mine := [row for row in rows if row["method"] == name and row["long"]]:
            tests = [row["test"] for row in mine]
            skips = " ".join(str(row["skips"]) for row in mine)
            ends = " ".join(str(row["stopped"]) for row in mine)
            each = " ".join(f"{test:.2f}" for test in tests)
            lines.append(f"| {ENTRIES[name].title} | {skips} | {each} | {spread(tests)} | {ends} |")
    return lines


def gates(rows: Sequence[Row]) -> list[str]:
    """Whether what was decided beforehand holds."""
    lines = []
    for name in GATED:
        tests = [row["test"] for row in rows if row["method"] == name and not row["long"]]
        if tests:
            kept = fmean(tests) >= LEAST_MEAN and min(tests) >= LEAST
            lines.append(
                f"- {ENTRIES[name].title}: mean {fmean(tests):.2f} (at least {LEAST_MEAN}), worst seed {min(tests):.2f} (at "
                f"least {LEAST}), {len(tests)} seeds: {'holds' if kept else 'does not hold'}."
            )
    many = {name: [row["skips"] >= COLLAPSED for row in rows if row["method"] == name and row["long"]] for name in COLLAPSE}
    if many["darts"]:
        lines.append(
            f"- DARTS collapses at rate {FAST:g} and {LONG:,} steps (at least {COLLAPSED} skips): in {sum(many['darts'])} of "
            f"{len(many['darts'])} seeds."
        )
        avoided = [ENTRIES[name].title for name in COLLAPSE[1:] if many[name] and 2 * sum(many[name]) < len(many[name])]
        lines.append(
            f"- Most of the seeds avoid it there with: {', '.join(avoided) or 'none of the others'} "
            "(skips alone; for accuracy see above)."
        )
    return lines


def _missed(rows: Sequence[Row]) -> list[str]:
    """What was tried for the one method that misses what was decided, and why it does, as far as its searches show it."""
    tests = {
        n: [r["test"] for r in rows if r["method"] == n and not r["long"]] for n in ("fair-darts", "sigmoid", "fair-darts-1")
    }
    if not all(len(found) > 1 for found in tests.values()) or fmean(tests["fair-darts"]) >= LEAST_MEAN:
        return []
    error = stdev(tests["fair-darts"]) / len(tests["fair-darts"]) ** 0.5
    return [
        f"FairDARTS misses its mean by {LEAST_MEAN - fmean(tests['fair-darts']):.2f} points; the standard error of the mean is "
        f"{error:.2f}. The zero-one loss, at the paper's weight of 10, opens and closes the gates before the operations are "
        "trained. Read in snapshots.json and strengths.json of the searches of seeds 3 and 4 on 2026-11-30: one and two of the "
        "30 gates are not yet on their last side of 0.5 after the first 62 steps of 800, and none after twice as many. At the "
        "end all gates are at 0.97 or below 0.06. On an edge one to three of five are open, so that their order means little; "
        "and `none`, which passes nothing on and gets no gradient from the task, is open where its initial noise was above 0: "
        "on 3 and on 5 of 6 edges, from the first steps to the last.",
        "",
        "What was tried after this was known explains the result and does not take its place: without the loss (sigmoid gates "
        f"alone) {spread(tests['sigmoid'])}; with weight 1 {spread(tests['fair-darts-1'])}, the worst seed "
        f"{min(tests['fair-darts-1']):.2f} because `none` is derived on nearly all edges; those two searches with `none` "
        "forbidden when the cell is derived, 92.47 in the place of 92.24 and 91.66 in the place of 91.20.",
        "",
    ]


def own(rows: Sequence[Row]) -> list[str]:
    """The section on networks that no table knows: their accuracy under each training, and whether the trainings agree."""
    trainings = list(rows[0]["tests"])
    lines = [
        f"| method | networks | MACs, millions | {' | '.join(f'{name}: test, %' for name in trainings)} | search, processor s |",
        f"|---|---:|---:|{'---:|' * len(trainings)}---:|",
    ]
    means = {name: {} for name in trainings}
    for method, title in METHODS.items():
        if mine := [row for row in rows if row["method"] == method]:
            tests = {name: [row["tests"][name] for row in mine] for name in trainings}
            for name in trainings:
                means[name][title] = fmean(tests[name])
            macs = [row["macs"] / 1e6 for row in mine]
            each = " | ".join(spread(tests[name]) for name in trainings)
            seconds = median(row["search"] for row in mine)
            lines.append(f"| {title} | {len(mine)} | {min(macs):.1f} to {max(macs):.1f} | {each} | {seconds:.0f} |")
    orders = [f"{name}: {', '.join(sorted(of, key=lambda title: -of[title]))}" for name, of in means.items()]
    one, other = ([row["tests"][name] for row in rows] for name in trainings)
    alike = [row["tests"] for row in rows if row["method"] != "gold-nas"]
    same = ([tests[name] for tests in alike] for name in trainings)
    lines += [
        "",
        f"Order by the mean. {'. '.join(orders)}."
        if len(alike) < 2
        else f"Order by the mean. {'. '.join(orders)}. Kendall's tau between the two trainings, over {len(rows)} networks: "
        f"{kendall_tau(one, other):.2f}; over the {len(alike)} of the space of DARTS: {kendall_tau(*same):.2f}.",
    ]
    return lines


def page(rows: Sequence[Row], table: Mapping[str, float], commit: str, alone: Sequence[Row] = ()) -> str:
    """The Markdown page, with a section on networks that were trained `alone` where there are some."""
    about = environment()
    machine, versions = about["machine"], about["versions"]
    seeds = max(sum(row["method"] == name and not row["long"] for row in rows) for name in GATED)
    run = {row["method"] for row in rows}
    missing = [entry.title for name, entry in ENTRIES.items() if name not in run]
    total = sum(row["seconds"] for row in rows) / 3600
    lines = [
        "# The DARTS line, judged by a table",
        "",
        f"Made by `{COMMAND} --out FOLDER` and `python -m tests.bench.darts_line_page` on {datetime.now(UTC).date()}, code of "
        f"commit {commit}; {machine['cpu']}, {machine['cores']} cores, no GPU; Python {versions['python']}, torch "
        f"{versions['torch']}, one torch thread. All searches together: {total:.1f} hours of processor time.",
        "",
        "Every method searches NAS-Bench-201's cell: 16 px, 8 channels, one cell a stage, batches of 64, "
        f"{IMAGES // 2:,} images of CIFAR-10 for the weights and as many for the architecture, {STEPS} steps, architecture rate "
        f"{RATE:g}. Nothing else differs but the idea of the method (tests/bench/darts_line_settings.py). What counts is the "
        "accuracy that the *table* gives the last derived cell after 200 epochs on all of CIFAR-10; that was decided beforehand. "
        "Every derived cell is in the table, `none` included, so nothing is mapped. Two entries have the idea of a method alone: "
        "GOLD-NAS's gates without its prices, each edge's strongest operation kept (its own networks have several operations on "
        "an edge), and DA-NAS with five, four and two operations. PC-DARTS and MergeNAS change the edges of the cells of DARTS "
        "and have no counterpart here." + (f" Not run yet: {', '.join(missing)}." if missing else ""),
        "",
        "| what to compare with | test accuracy, % |",
        "|---|---:|",
        *(f"| {what} | {value:.2f} |" for what, value in yardsticks(table, max(seeds, 1))),
        "",
        "## Searches",
        "",
        *searches(rows),
        "",
        "Swing: between the lowest and the highest accuracy of the cells that would have been derived in the second half of a "
        "search, median over seeds. Skips and none: of six edges, mean. Random search trains random cells alone, one after the "
        f"other, each for 200 steps on all {IMAGES:,} images, until {SEARCH_SECONDS:.0f} processor seconds are over, and takes "
        "the one with the best validation accuracy. Processor seconds were taken while the machine had other work "
        "and compare roughly.",
        "",
        "GDAS computes one operation an edge, drawn by the Gumbel maximum. Its estimator is straight-through: the gradient of a "
        "softmax at a temperature that falls from 10 to 0.1, in the place of that of the draw. After a warm-up: the weights "
        "alone learn for the first half of the steps. ReinMax is the same draw with a gradient of second order.",
        "",
        "## Where DARTS collapses",
        "",
        f"The same with rate {FAST:g} and {LONG:,} steps. Ends: the epoch of the last snapshot.",
        "",
        *collapses(rows),
        "",
        *(_own_section(alone) if alone else ()),
        "## What was decided beforehand",
        "",
        *gates(rows),
        "",
        *_missed(rows),
        "## What this does not show",
        "",
        f"Up to {seeds} searches of a method differ by their seeds alone; methods whose means are closer than their deviations "
        "are not told apart. One recipe serves all methods, none is tuned, and a search is a hundredth of a published one: a "
        "method that needs a long schedule (dropping, annealing) may do better with it. The table is of one training recipe; "
        "the order of the best cells under another is not known from it.",
        "",
    ]
    return "\n".join(lines)


def _own_section(rows: Sequence[Row]) -> list[str]:
    return [
        "## Spaces that no table knows",
        "",
        f"Made by `{OWN} --out FOLDER`. What DA-NAS and GOLD-NAS find in spaces of their own, those of the recipe small (5 cells "
        f"of 3 nodes, 8 channels in the search and 12 alone, 16 px, {SEARCH_STEPS} steps of 64 images), is trained alone, each "
        "network under two settings of training with the same seed, and so are what DARTS finds and random cells. GOLD-NAS may "
        "take as many MACs as the network by hand, whose every operation is a separable convolution.",
        "",
        *own(rows),
        "",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the page.

    Raises:
        UserError: a folder has no rows.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.bench.darts_line_page")
    parser.add_argument("--runs", type=Path, nargs="+", action="extend", required=True, help="folders of tests.bench.darts_line")
    parser.add_argument("--page", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--commit", required=True)
    options = parser.parse_args(arguments)
    files = [folder / "rows.jsonl" for folder in options.runs]
    if missing := [file for file in files if not file.is_file()]:
        raise UserError(f"{missing[0]}: no such file; give folders that tests.bench.darts_line wrote")
    check_out(options.page)
    alone = [row for folder in options.runs for row in Jsonl(folder / "own.jsonl", of_run=False).rows()]
    rows = [row for file in files for row in Jsonl(file, of_run=False).rows()]
    options.page.write_text(page(rows, accuracies(options.data), options.commit, alone), encoding="utf-8")
    for name, found in (("", rows), ("-own", alone)):  # as rows.jsonl and own.jsonl of a folder, the searches go on from them
        if found:
            kept = "".join(f"{json.dumps(row)}\n" for row in found)
            options.page.with_name(f"{options.page.stem}{name}.jsonl").write_text(kept, encoding="utf-8")


if __name__ == "__main__":
    with spoken_errors():
        main()

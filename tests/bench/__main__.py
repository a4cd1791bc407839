"""Measures everything and writes the page: `python -m tests.bench [--quick] [--out FILE]`."""

import argparse
import datetime
from pathlib import Path

from common.run.environment import environment
from common.script import spoken_errors
from tests.bench.out import check_out
from tests.bench.rows import page, shown

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Speed ratios on this machine.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "bench.md", help="page to write")
    parser.add_argument("--quick", action="store_true", help="few repeats, to try it out: the figures mean nothing")
    options = parser.parse_args()
    check_out(options.out)
    from tests.bench.measures import everything, summary  # seconds: an `--out` that cannot be written is refused at once

    rows = []
    for row in everything(options.quick):
        rows.append(row)
        mark = "    " if row.target is None else "ok  " if row.passed else "MISS"
        print(f"{mark} {row.what}: {shown(row.measured)} {row.unit}, {row.distance}", flush=True)
    date = datetime.date.today().isoformat()
    command = "make bench" if not options.quick else "python -m tests.bench --quick"
    options.out.write_text(page(rows, environment(), date, command), encoding="utf-8")
    print(f"{summary(rows)}\n{options.out}")


if __name__ == "__main__":
    with spoken_errors("No page was written."):
        main()

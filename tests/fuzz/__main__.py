"""`make fuzz`: N damaged inputs of all kinds; lists those that end in anything but success or one line for the user."""

import argparse
import resource
import sys
import time
from collections import Counter

import torch

from tests.fuzz import brought, runs, words
from tests.fuzz.case import tried

CASES = (*runs.CASES, *brought.CASES, *words.CASES)


def main() -> int:
    """Status 1 if an input ended in another way."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--inputs", type=int, default=6_000, help="how many, shared among the kinds")
    options.add_argument("--seed", type=int, default=0, help="of the first input; others follow")
    options.add_argument("--case", default="", help="one kind alone")
    options.add_argument("--list", action="store_true", help="name the kinds")
    chosen = options.parse_args()
    cases = [case for case in CASES if chosen.case in ("", case.name)]
    if chosen.list or not cases:
        print(", ".join(case.name for case in CASES))
        return 0 if chosen.list else 2
    torch.set_num_threads(1)
    limit = 24 << 30  # what an input asks for beyond this is refused by the system, not taken from others
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    shares = sum(case.share for case in cases)
    failed: Counter[str] = Counter()
    done, start = 0, time.monotonic()
    for case in cases:
        n = -(-chosen.inputs * case.share // shares)
        began = time.monotonic()
        for seed in range(chosen.seed, chosen.seed + n):
            if said := tried(case, seed):
                failed[case.name] += 1
                print(f"--- {case.name}, seed {seed}: {said}\n", flush=True)
        done += n
        print(f"{case.name}: {n} inputs, {failed[case.name]} failed, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{done} inputs, {failed.total()} failed, {time.monotonic() - start:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Run many cases and print what differs: ``python -m tests.differential URL [--cases N] [--seed N] [--writes]``.

Fails when a difference has no reason in `explained.py`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

from tests.differential.explained import explanation
from tests.differential.running import Runner, report
from tests.differential.worlds import both_worlds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of an empty database")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--writes", action="store_true")
    parser.add_argument(
        "--zone", default="Europe/Vienna", help="UTC where MariaDB's tables of time zones are empty"
    )
    parser.add_argument("--naive", action="store_true", help="USE_TZ=False")
    options = parser.parse_args()
    counts, begun = Counter(), time.monotonic()
    with both_worlds(options.url, options.zone, not options.naive) as worlds:
        runner = Runner(*worlds)
        draw = random.Random(options.seed)
        for _ in range(options.cases):
            case, ours, theirs, found = runner.one(draw, options.writes)
            counts["error" if theirs.error else "answer"] += 1
            if found:
                why = explanation(case, ours, theirs, found)
                counts[f"explained: {why}" if why else f"NEW: {' '.join(found)}"] += 1
                if not why:
                    print(report(case, ours, theirs, found), flush=True)
    print(f"{options.cases} cases in {time.monotonic() - begun:.0f} s")
    for name, count in counts.most_common():
        print(f"{count:6} {name}")
    return any(name.startswith("NEW") for name in counts)


sys.exit(main())

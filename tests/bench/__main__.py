"""Measure Callhouse beside the limit and its peers: ``python -m bench``.

The results are kept in a file, so that what is stopped goes on where it was: a measure
is taken until it has its number of repetitions. ``--only NAME`` takes those whose names
have this in them, ``--again`` forgets what they had, ``--times N`` takes fewer.
"""

import argparse
import sys
import traceback
from itertools import count

from bench import fixed, growth, paced, table, throughput
from bench.machine import machine
from bench.measures import FOLDER, Measure
from harness.results import read_results, write_results

RESULTS = FOLDER / "results.json"
ALL = [one for part in (throughput, fixed, paced, growth) for one in part.measures()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--only", default="", help="names that have this in them")
    parser.add_argument("--again", action="store_true", help="forget what they had")
    parser.add_argument("--times", type=int, help="repetitions, at most")
    parser.add_argument("--huge", action="store_true", help="what takes hours, too")
    asked = parser.parse_args()
    chosen = [one for one in ALL if asked.only in one.name]
    chosen = [one for one in chosen if asked.huge or not one.is_huge]
    if not chosen or (asked.times is not None and asked.times < 1):
        names = ", ".join(one.name for one in ALL)
        parser.error(f"--times is 1 or more, and --only stands in one of: {names}")
    FOLDER.mkdir(exist_ok=True)
    results = read_results(RESULTS)
    results["machine"] = machine()
    taken = results.setdefault("figures", {})
    for one in chosen if asked.again else ():
        taken.pop(one.name, None)
    failed = results.setdefault("failed", {})
    for one in chosen:
        failed.pop(one.name, None)
    # In turn, since a machine that is shared is faster at one time than at another.
    for place in count():
        left = [one for one in chosen if place < min(one.times, asked.times or 99)]
        if not left:
            break
        for one in left:
            if len(taken.get(one.name, ())) <= place and one.name not in failed:
                _take(one, taken, failed)
                write_results(RESULTS, results)
    sys.stdout.write(table.as_text(results) if asked.only else table.write(results))
    return 1 if any(one.name in failed for one in chosen) else 0


def _take(
    one: Measure, taken: dict[str, list[dict[str, float]]], failed: dict[str, str]
) -> None:
    """Take a measure once, and note its figures, or why there are none."""
    try:
        figures = {**one.take()}
    except Exception as error:  # noqa: BLE001 - the other measures go on
        traceback.print_exc()
        failed[one.name] = str(error).strip().splitlines()[-1]
        return
    taken.setdefault(one.name, []).append(figures)
    shown = ", ".join(f"{name} {number:,.2f}" for name, number in figures.items())
    sys.stdout.write(f"{one.name}: {shown}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""The results as two tables, with the goals beside the figures, and as a picture."""

import csv
import json
import operator
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import vl_convert
from bench.growth import DAYS as PAST_DAYS
from bench.records import A_DAY, DAYS
from bench.throughput import FEWER, ROWS, SHAPES, TAKES

PAGE = Path("docs/performance.md")
PICTURE = Path("docs/images/performance.svg")
BEGIN, END = "<!-- make bench writes this -->\n", "<!-- until here -->\n"
GOALS = Path(__file__).with_name("goals.csv")
"""Each figure of the second table: one number, or one divided by another, and its goal.

A number is ``measure:figure``. Two figures are made here: ``each`` is CPU seconds a
record, ``slowest`` the greatest of all figures of the measure.
"""
CHART = Path(__file__).with_name("chart.json")
SIGNS = {"most": ("≤", operator.le), "least": ("≥", operator.ge)}
NAMES = {"load": "Callhouse, load", "build": "Callhouse, full build"}
"""What a reader calls what is measured, where the bench has a shorter name."""
LOADED = [tool for tool in TAKES if tool not in {"download", "build"}]
"""What reads records and stores them, which the picture compares."""


class Medians:
    """The median figures of each measure; raises `KeyError` for one not taken."""

    def __init__(self, taken: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
        self._taken = taken

    def __getitem__(self, name: str) -> float:
        """Return a number by its name in ``GOALS``."""
        measure, _, figure = name.partition(":")
        taken = self._taken[measure]
        if figure == "each":
            return self[f"{measure}:cpu"] / self[f"{measure}:rows"]
        if figure == "slowest":
            return max(self[f"{measure}:{one}"] for one in taken[0])
        return statistics.median(one[figure] for one in taken)


def as_text(results: Mapping[str, Any]) -> str:
    """Return the machine and both tables, as Markdown."""
    medians = Medians(results["figures"])
    machine = ", ".join(f"{what} {text}" for what, text in results["machine"].items())
    with GOALS.open(newline="") as file:
        goals = [_goal(row, medians) for row in csv.DictReader(file)]
    data = (
        f"{ROWS:,} records each of TWIN (flat) and Voximplant (nested), {A_DAY} on each"
        f" of {DAYS} days; {FEWER * A_DAY:,} for dlt's default format, Singer and"
        f" PyAirbyte. The past of {PAST_DAYS} days is of TWIN. CPU is of all processes"
        " of a command."
    )
    lines = [f"Measured: {machine}. {data}", "", *_tools(results), "", *HEAD, *goals]
    return "\n".join(lines) + "\n"


HEAD = ("| what | figure | goal | |", "|---|---|---|---|")


def _goal(row: Mapping[str, str], medians: Medians) -> str:
    sign, holds = SIGNS.get(row["at"], ("", None))
    goal = f"{sign} {float(row['goal']):,g}" if sign else ""
    try:
        figure = medians[row["above"]]
        figure /= medians[row["below"]] if row["below"] else 1
    except KeyError:
        return f"| {row['what']} | not measured | {goal} | |"
    is_met = holds is None or holds(figure, float(row["goal"]))
    verdict = ("met" if is_met else "**missed**") if goal else ""
    return f"| {row['what']} | {_short(figure)} {row['unit']} | {goal} | {verdict} |"


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def _tools(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table of all ways to load, the limit among them."""
    medians, failed = Medians(results["figures"]), results.get("failed", {})
    yield "| flat · nested | records a core-second | CPU, of limit | peak MiB | taken |"
    yield "|---|---|---|---|---|"
    for tool in TAKES:
        cells = [NAMES.get(tool, tool), *map(" · ".join, _cells(tool, medians, failed))]
        times = {len(results["figures"].get(f"{one} {tool}", ())) for one in SHAPES}
        yield f"| {' | '.join(cells)} | {' · '.join(map(str, sorted(times)))} |"


def _cells(
    tool: str, medians: Medians, failed: Mapping[str, str]
) -> Iterator[tuple[str, ...]]:
    """Return three columns, each with a figure of both shapes, or why there is none."""
    found = []
    for shape in SHAPES:
        name = f"{shape} {tool}"
        try:
            each = medians[f"{name}:each"]
            numbers = 1 / each, each / medians[f"{shape} limit:each"]
            found.append([*map(_short, (*numbers, medians[f"{name}:peak"]))])
        except KeyError:
            found.append([failed.get(name, "not measured"), "", ""])
    return zip(*found, strict=True)


def write(results: Mapping[str, Any]) -> str:
    """Put the tables into the page and draw the picture; return the tables."""
    text = as_text(results)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
    PICTURE.write_text(_picture(Medians(results["figures"])))
    return text


def _picture(medians: Medians) -> str:
    bars = []
    for shape in SHAPES:
        for tool in LOADED:
            try:
                records = round(1 / medians[f"{shape} {tool}:each"])
            except KeyError:
                continue
            bar = {"tool": NAMES.get(tool, tool), "shape": shape, "records": records}
            bars.append(bar)
    chart = {**json.loads(CHART.read_text()), "data": {"values": bars}}
    return vl_convert.vegalite_to_svg(chart)

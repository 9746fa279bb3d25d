"""What is made of what, as a picture: each table to the right of all that it reads.

Shown are the tables that somebody may query, what the vendors' staging models are
united to, and the raw inputs; an arrow that a longer way explains is left out.
"""

from collections.abc import Mapping
from functools import cache
from graphlib import TopologicalSorter

from transforms.runner.graph import Graph
from transforms.runner.lineage import edges

WIDTH, HEIGHT, GAP, ROW = 170, 20, 70, 28
"""Of a box, between columns, and from a box to the one below, in pixels."""
SVG = "http://www.w3.org/2000/svg"
FONT = 'font-family="sans-serif" font-size="11"'
COLOURS = {
    "raw": "#e4e4e4",
    "given": "#f3f3f3",
    "staging": "#d8e7f5",
    "intermediate": "#d5ebe8",
    "facts": "#fce0ae",
    "dims": "#dcefd4",
    "marts": "#f5d3e1",
    "ops": "#e9e0f2",
}
LEDGERS = ("raw.load_windows", "raw.quarantine")
"""They are shown beside the records."""


def picture(graph: Graph) -> str:
    """Return the lineage as SVG."""
    shown = _reduced(_shown(graph))
    places = _places(shown)
    width = max(x for x, _ in places.values()) + WIDTH + 10
    height = max(y for _, y in places.values()) + ROW
    rooms = {one.table: one.file.partition("/")[0] for one in graph.models}
    lines = [
        _line(places[read], places[table])
        for table, reads in sorted(shown.items())
        for read in sorted(reads)
    ]
    boxes = [_box(name, places[name], _room(name, rooms)) for name in sorted(places)]
    return "\n".join(
        [
            f'<svg xmlns="{SVG}" viewBox="0 0 {width} {height}" {FONT}>',
            f'<rect width="{width}" height="{height}" fill="white"/>',
            *lines,
            *boxes,
            "</svg>\n",
        ]
    )


def _shown(graph: Graph) -> dict[str, set[str]]:
    """Return what each shown table reads, past what is not shown."""
    reads: dict[str, set[str]] = {}
    for read, table in edges(graph):
        reads.setdefault(table, set()).add(read)
    kept = {one.table for one in graph.models if one.is_stored}
    kept |= {*graph.unions}

    @cache
    def nearest(table: str) -> frozenset[str]:
        found: set[str] = set()
        for name in reads.get(table, ()):
            if name in kept:
                found.add(name)
            elif name in reads:
                found |= nearest(name)
            else:
                found.add(_given(name))
        return frozenset(found - {table})

    shown = {table: {*nearest(table)} for table in kept}
    inputs = {name for found in shown.values() for name in found} - kept
    return shown | {name: set() for name in inputs}


def _given(name: str) -> str:
    """Name what no model makes, much of it as one."""
    schema = name.partition(".")[0]
    together = {"raw": "raw records", "config": "configuration", "seeds": "seeds"}
    return name if name in LEDGERS else together[schema]


def _reduced(reads: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Leave out what a table also reads by a longer way."""

    @cache
    def above(table: str) -> frozenset[str]:
        return frozenset().union(*({one, *above(one)} for one in reads[table]))

    return {
        table: {
            one
            for one in found
            if not any(one in above(other) for other in found - {one})
        }
        for table, found in reads.items()
    }


def _places(reads: Mapping[str, set[str]]) -> dict[str, tuple[int, int]]:
    """Return where the boxes stand: near the middle of what they read."""
    depth: dict[str, int] = {}
    for table in TopologicalSorter(reads).static_order():
        depth[table] = max((depth[one] + 1 for one in reads[table]), default=0)
    rows: dict[str, float] = {}
    places: dict[str, tuple[int, int]] = {}
    for column in range(max(depth.values()) + 1):
        names = sorted(name for name in depth if depth[name] == column)
        wanted = {
            name: sum(rows[one] for one in reads[name]) / max(len(reads[name]), 1)
            for name in names
        }
        for row, name in enumerate(sorted(names, key=lambda one: (wanted[one], one))):
            rows[name] = row
            places[name] = (10 + column * (WIDTH + GAP), 10 + row * ROW)
    return places


def _room(name: str, rooms: Mapping[str, str]) -> str:
    if name in {"configuration", "seeds"}:
        return "given"
    return rooms.get(name) or name.partition(".")[0].partition(" ")[0]


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + WIDTH, start[1] + HEIGHT // 2
    x2, y2 = end[0], end[1] + HEIGHT // 2
    bend = GAP // 2
    return (
        f'<path d="M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}"'
        ' fill="none" stroke="#888" stroke-width="0.8"/>'
    )


def _box(name: str, place: tuple[int, int], room: str) -> str:
    x, y = place
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="3"'
        f' fill="{COLOURS[room]}" stroke="#666" stroke-width="0.5"/>'
        f'<text x="{x + 6}" y="{y + 14}">{name.removeprefix("main.")}</text>'
    )

"""What is made of what, as a Mermaid flowchart: from each table to its readers.

Shown are the tables that somebody may query, what the vendors' staging models are
united to, and the inputs; an arrow that a longer way explains is left out.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from transforms.runner.graph import Graph
from transforms.runner.lineage import edges

INPUTS = {
    "raw": "raw records",
    "inputs": "raw records",
    "config": "configuration",
    "seeds": "seeds",
}
"""By schema, the one box of what no model makes."""
LEDGERS = ("raw.load_windows", "raw.quarantine")
"""They are shown beside the records."""


def flowchart(graph: Graph) -> str:
    """Return the lineage as Mermaid, each schema a box around its tables."""
    shown = _reduced(_shown(graph))
    groups: dict[str, list[str]] = {}
    for name in sorted(shown):
        groups.setdefault(_group(name), []).append(name)
    return "\n".join(("flowchart LR", *_boxes(groups), *_arrows(shown)))


def _boxes(groups: Mapping[str, list[str]]) -> Iterator[str]:
    for group, names in groups.items():
        yield f"    subgraph {group}"
        yield from (f'        {_id(name)}["{_label(name)}"]' for name in names)
        yield "    end"


def _arrows(shown: Mapping[str, set[str]]) -> Iterator[str]:
    for table, reads in sorted(shown.items()):
        if reads:
            yield f"    {' & '.join(map(_id, sorted(reads)))} --> {_id(table)}"


def _shown(graph: Graph) -> dict[str, set[str]]:
    """Return what each shown table reads, past what is not shown."""
    reads: dict[str, set[str]] = {}
    for read, table in edges(graph):
        reads.setdefault(table, set()).add(read)
    kept = {one.table for one in graph.models if one.kind != "transient"}
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
                schema = name.partition(".")[0]
                found.add(name if name in LEDGERS else INPUTS[schema])
        return frozenset(found - {table})

    shown = {table: {*nearest(table)} for table in kept}
    inputs = {name for found in shown.values() for name in found} - kept
    return shown | {name: set() for name in inputs}


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


def _group(name: str) -> str:
    """Return the schema of a table; all that no model makes are the inputs."""
    schema = name.partition(".")[0]
    return "inputs" if name in INPUTS.values() or schema == "raw" else schema


def _label(name: str) -> str:
    return name.removeprefix("main.")


def _id(name: str) -> str:
    """Return a name that Mermaid takes for a box."""
    return re.sub(r"\W", "_", name)

"""What dbt knows of what models read and of what reads the models."""

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path

from transforms.export.dbt_names import Names
from transforms.export.dbt_yaml import Yaml, entry
from transforms.runner import input_sql
from transforms.runner.graph import Graph
from transforms.runner.model import Model

INPUTS = Path(__file__).parents[1] / "models/inputs.md"
RECORDS = "raw.<vendor>__<table>"
LEDGERS = {table: name for name, table in input_sql.LEDGERS.items()}
"""By the table of a raw file, what models call it."""
READS = "load_windows"
"""Every run adds to this table of a vendor, also where no call is new."""
LOADED_AT = {READS: "finished_at", "absences": "read_at", "_dlt_loads": "inserted_at"}
"""When a row was loaded; elsewhere it is ``fetched_at``."""

PUBLISHED = "calls.duckdb, the file that analysts query."
REPORT = "report.html, the page of calls, waits and costs of the last days."


def sources(
    graph: Graph, stored: Collection[tuple[str, str]], max_age_hours: int
) -> dict[str, Yaml]:
    """Return the tables of the raw files that models read, and when they are stale."""
    docs = _docs()
    records = graph.records | graph.registers
    tables = sorted({one for one in stored if one in records or one[1] in LEDGERS})
    return {
        "sources": [
            {
                "name": vendor,
                "description": f"The raw file of {vendor}: what came, as it came.",
                "database": vendor,
                "schema": "raw",
                "tables": [
                    {
                        **entry(table, docs[LEDGERS.get(table, RECORDS)]),
                        "config": _freshness(table, max_age_hours),
                    }
                    for of, table in tables
                    if of == vendor
                ],
            }
            for vendor in sorted({vendor for vendor, _ in tables})
        ]
    }


def documented(table: str, names: Names) -> dict[str, Yaml]:
    """Return what a relation that no model makes is, in the words of inputs.md."""
    is_record = table.startswith("raw.") and table not in input_sql.LEDGERS
    return entry(names[table], _docs().get(RECORDS if is_record else table, ""))


def exposures(
    models: Iterable[Model], report: Collection[str], names: Names
) -> dict[str, Yaml]:
    """Return the published file and its report; ``report`` has the tables it reads."""
    published = [one.table for one in models if one.schema in {"main", "ops"}]
    shown = [table for table in published if table in report]
    return {
        "exposures": [
            _exposure("published_file", "analysis", PUBLISHED, published, names),
            _exposure("report", "dashboard", REPORT, shown, names),
        ]
    }


def _exposure(
    name: str, kind: str, text: str, tables: Iterable[str], names: Names
) -> Yaml:
    return {
        **entry(name, text),
        "type": kind,
        "maturity": "high",
        "owner": {"name": "Callhouse"},
        "depends_on": [f"ref('{names[table]}')" for table in tables],
    }


def _freshness(table: str, hours: int) -> Yaml:
    config: Mapping[str, Yaml] = {"loaded_at_field": LOADED_AT.get(table, "fetched_at")}
    if table != READS:
        return config
    return {**config, "freshness": {"warn_after": {"count": hours, "period": "hour"}}}


@cache
def _docs() -> dict[str, str]:
    """Return what a row of each relation is, and its columns, by its name."""
    docs = {}
    for line in INPUTS.read_text("utf-8").splitlines():
        if line.startswith("| `"):
            name, row, columns, _ = (cell.strip() for cell in line[1:-1].split("|"))
            text = f"One row is {row}. Its columns: {columns}" if columns else row
            docs[name.strip("`")] = f"{text}."
    return docs

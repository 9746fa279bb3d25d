"""The metrics as MetricFlow reads them: a semantic model per mart, and its metrics.

What a metric is made of stands in the seed of ``dim_metrics``, so that the numbers of a
tool above dbt are those of ``daily_metrics``.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from transforms.export.dbt_names import Names
from transforms.export.dbt_yaml import Yaml, escaped, yaml
from transforms.runner.graph import Graph
from transforms.runner.model import Model

PLACE = "models/marts/semantic.yml"
METRICS = "metrics"
"""The seed that says what each metric is made of."""
_PARTS = ("numerator", "denominator")
MONTHS = {"billing_month"}
"""Dimensions that are the first day of a month."""


def semantic_file(graph: Graph, names: Names) -> dict[str, str]:
    """Return the file of the marts and their metrics, by its path in a dbt project.

    There is none where the models have no metrics.
    """
    seed = next((path for path in graph.seeds if path.stem == METRICS), None)
    return {PLACE: yaml(_semantic(graph, seed, names))} if seed else {}


def _semantic(graph: Graph, seed: Path, names: Names) -> dict[str, Yaml]:
    with seed.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    models = {one.name: one for one in graph.models}
    marts = defaultdict[str, list[Mapping[str, str]]](list)
    for row in rows:
        marts[row["relation"]].append(row)
    semantic_models = [
        _semantic_model(models[name], of, names) for name, of in marts.items()
    ]
    return {
        "semantic_models": semantic_models,
        "metrics": [_metric(row) for row in rows],
    }


def _semantic_model(
    mart: Model, rows: Iterable[Mapping[str, str]], names: Names
) -> Yaml:
    formulas = dict.fromkeys(row[part] for row in rows for part in _PARTS)
    meanings = {column.name: column.comment for column in mart.columns}
    keys = ["call_date", *(key for key in mart.key if key != "call_date")]
    return {
        "name": mart.name,
        "description": escaped(mart.sentence),
        "model": f"ref('{names[mart.table]}')",
        "primary_entity": f"{mart.name}_row",
        "defaults": {"agg_time_dimension": "call_date"},
        "dimensions": [_dimension(key, meanings.get(key, "")) for key in keys],
        "measures": [
            {
                "name": _measure(mart.name, formula),
                "description": escaped(meanings.get(formula, formula)),
                "agg": "sum",
                "expr": formula,
                "create_metric": True,
            }
            for formula in formulas
        ],
    }


def _dimension(name: str, meaning: str) -> Yaml:
    entry: dict[str, Yaml] = {"name": name, "description": escaped(meaning)}
    if name == "call_date" or name in MONTHS:
        grain = "month" if name in MONTHS else "day"
        return {**entry, "type": "time", "type_params": {"time_granularity": grain}}
    return {**entry, "type": "categorical"}


def _measure(mart: str, formula: str) -> str:
    """Name a sum; marts have columns of the same name, and dbt wants each name once."""
    words = formula.replace(" - ", "_minus_").replace(" + ", "_plus_")
    return f"{re.sub('[^a-z0-9_]', '', words)}_of_{mart}"


def _metric(row: Mapping[str, str]) -> Yaml:
    above, below = (_measure(row["relation"], row[part]) for part in _PARTS)
    name = f"{row['metric']}_{row['variant']}"
    meta = {key: row[key] for key in ("unit", "source", "document") if row[key]}
    return {
        "name": name,
        "label": name.replace("_", " "),
        "description": escaped(row["definition"]),
        "type": "derived",
        "type_params": {
            "expr": f"{row['factor']} * above / nullif(below, 0)",
            "metrics": [
                {"name": above, "alias": "above"},
                {"name": below, "alias": "below"},
            ],
        },
        "config": {"meta": meta},
    }

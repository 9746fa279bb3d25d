"""The page of metrics: each way to count, what it is made of, and who defines it so.

``make docs`` writes it from the seed of ``dim_metrics``; a test compares the two.
"""

import csv
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

INTRODUCTION = """# Metrics

Written by `make docs` from `dim_metrics`. A metric is its factor times the sum of the
numerator over the sum of the denominator: add up first, over whatever days, vendors or
queues are asked for, and divide then. Where the denominator adds up to 0, the metric is
not known. Contact centers disagree on most metrics, so each way to count has a name,
and none is the default: name the variant beside the number. What each column counts
stands in [SCHEMA.md](../transforms/SCHEMA.md). What is made of `daily_calls` can be
made of `hourly_calls` as well, and `daily_metrics` has each metric of each date, vendor
and account as numerator, denominator and value. A call of which its vendor does not say
what a metric needs is in neither of its columns, so say the share that is:

```sql
-- Abandonment as Amazon Connect counts it; known: of which share of the queued calls.
select vendor,
    sum(abandoned_queued_calls) as abandoned, sum(queued_known_calls) as queued,
    round(100 * abandoned / nullif(queued, 0), 1) as percent,
    round(queued / nullif(sum(queued_calls), 0), 3) as known
from daily_calls
group by all order by all;
```

Two settings of `[callhouse]` in `config.toml` are part of the definitions:
`service_level_seconds` (20), within which an answer is in time, and
`short_abandon_seconds` (5): who gives up in less is a short abandon. Where a vendor has
a word of its own for that, it counts instead (`seeds/short_abandons.csv`). The time is
that in queues and ringing, or of the whole call where its vendor reports neither.

A day is one of `reporting_time_zone`, the month of a bill is one of UTC: to set calls
beside `monthly_account_usage` or an invoice, group `daily_calls` by `billing_month`,
not by the month of `call_date`. Vendors may be loaded for different spans of time:
where they stand side by side, ask for days of which `dim_dates.is_complete_for_all`.
"""
HEAD = ("variant", "made of", "unit", "definition", "source")


def page(seed: Path) -> str:
    """Return the page in Markdown: a table per metric, in the order of the seed."""
    with seed.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    parts = [INTRODUCTION]
    for metric, variants in groupby(rows, lambda row: row["metric"]):
        table = [HEAD, ("---",) * len(HEAD), *map(_cells, variants)]
        lines = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
        parts.append(f"\n## {metric}\n\n{lines}\n")
    return "".join(parts)


def _cells(row: Mapping[str, str]) -> tuple[str, ...]:
    above, below = (_bracketed(row[name]) for name in ("numerator", "denominator"))
    factor = "" if row["factor"] == "1" else f"{row['factor']} * "
    return (
        f"`{row['variant']}`",
        f"`{factor}{above} / {below}` of `{row['relation']}`",
        row["unit"],
        row["definition"],
        _source(row["source"], row["document"]),
    )


def _bracketed(columns: str) -> str:
    return f"({columns})" if " " in columns else columns


def _source(source: str, document: str) -> str:
    if not source:
        return "ours: no industry definition is known"
    if document.startswith("https://"):
        return f"[{source}]({document})"
    return f"{source} ({document})" if document else source

"""Print ``callhouse explain``: the history of one call, or JSON.

It has phone numbers and names on purpose: who looks up one call needs them. They go to
stdout and nowhere else.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal

import msgspec
from rich.table import Table
from rich.text import Text

from pipelines.cli.tables import compact_table, plain, plain_row, plain_rows, stdout
from pipelines.commands.explain import CallHistory, Version
from pipelines.extract.errors import escaped
from pipelines.warehouse.published_queries import Row

PARTS_OF_TIME = (
    *("ring", "ivr", "queue", "callback", "talk", "hold", "wrap"),
    *("bot", "ai", "transfer", "billed"),
)
FLAGS = (
    *("answered_by_person", "abandoned", "voicemail", "transferred"),
    *("bot_handled", "contained", "recorded"),
)
RATINGS = ("language", "sentiment", "rating", "nps")
_YES = {True: "yes", False: "no", None: None}
EVENTS = {
    "first": "first seen",
    "changed": "changed",
    "deleted": "no longer listed by its vendor",
    "restored": "listed again",
}


def as_json(history: CallHistory) -> Row:
    """Return a call's history as JSON values, the vendor's records as they came."""
    return {
        "as_of": plain(history.as_of),
        "call": plain_row(history.call),
        "unsettled": list(history.why_not_final),
        "legs": plain_rows(history.legs),
        "costs": plain_rows(history.costs),
        "agents": plain_rows(history.agents),
        "queues": plain_rows(history.queues),
        "versions": [
            {
                **plain_row(asdict(one)),
                "windows": plain_rows(one.windows),
                "changes": plain_rows(one.changes),
            }
            for one in history.versions
        ],
        "records": {
            table: msgspec.Raw(payload.encode())
            for table, payload in history.records.items()
        },
    }


def show_history(history: CallHistory) -> None:
    """Print a call's history; the vendor's newest record comes last."""
    console = stdout()
    console.print(_seen(history.call["call_key"], "bold"))
    console.print(_facts(history))
    if history.legs:
        console.print(_legs(history))
    if history.costs:
        console.print(_costs(history))
    console.print("\n[bold]What came, and when[/]")
    if not history.has_raw:
        console.print("The raw file of its vendor cannot be read here.")
    for version in history.versions:
        for line in _version(version):
            console.print(line, soft_wrap=True)
    for table, payload in history.records.items():
        console.print(f"\n[bold]The vendor's record[/], newest, in raw.{table}")
        pretty = msgspec.json.format(payload.encode(), indent=2).decode()
        for text in pretty.splitlines():
            console.print(_seen(text), soft_wrap=True)


def _facts(history: CallHistory) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, text in (*_parties(history), *_times(history), *_ends(history)):
        if text:
            grid.add_row(name, _seen(text))
    return grid


def _parties(history: CallHistory) -> Iterator[tuple[str, str]]:
    call = history.call
    yield "direction", call["direction"]
    kind, country = call["customer_number_kind"], call["country"]
    yield "customer", _listed(call["customer_number"], kind, country)
    yield "business", _listed(call["business_number"])
    yield (
        "agents",
        _listed(*(one["agent_name"] or one["agent_key"] for one in history.agents)),
    )
    yield (
        "queues",
        _listed(*(one["queue_name"] or one["queue_key"] for one in history.queues)),
    )
    yield "part of", _listed(call["parent_call_key"])


def _times(history: CallHistory) -> Iterator[tuple[str, str]]:
    call = history.call
    for name in ("started", "answered", "ended"):
        moment = call[f"{name}_at"]
        text = _time(moment)
        if moment is not None and history.time_zone != "UTC":
            local = history.local_times[f"{name}_at"]
            text += f" ({local:%Y-%m-%d %H:%M:%S} {history.time_zone})"
        yield name, text
    whole = _seconds(call["total_seconds"])
    yield "lasted", _listed(whole and f"{whole} ({call['duration_basis']})")
    parts = (
        f"{part} {_seconds(call[f'{part}_seconds'])}"
        for part in PARTS_OF_TIME
        if call[f"{part}_seconds"] is not None
    )
    yield "of which", _listed(*parts)


def _ends(history: CallHistory) -> Iterator[tuple[str, str]]:
    call = history.call
    word = call["vendor_outcome"]
    yield (
        "outcome",
        _listed(
            f"{call['outcome']} (stage: {call['outcome_stage']})",
            None if word is None else f"the vendor says {word!r}",
            call["hangup_by"] and f"ended by {call['hangup_by']}",
        ),
    )
    yield "was", _listed(*(one for one in FLAGS if call[f"is_{one}"]))
    for name in RATINGS:
        yield name, _listed(call[name])
    yield "cost", _cost(call)
    yield (
        "final",
        "no: " + "; ".join(history.why_not_final) if history.why_not_final else "yes",
    )
    if call["is_deleted"]:
        seen = _time(call["last_loaded_at"])
        yield "deleted", f"its vendor no longer lists it, found {seen}"
    if call["is_erased"]:
        yield "erased", "its vendor has depersonalised it"
    yield "as of", _time(history.as_of)


def _cost(call: Row) -> str:
    how = f"{call['cost_source']}, {call['cost_status']}"
    if call["cost_total"] is None:
        return f"none known ({how})"
    text = f"{_amount(call['cost_total'])} {call['currency']} ({how})"
    if call["cost_reporting"] is not None and call["fx_rate"] != 1:
        there = f"{_amount(call['cost_reporting'])} {call['reporting_currency']}"
        text += f" = {there} at {_amount(call['fx_rate'])}"
    return text


def _legs(history: CallHistory) -> Table:
    return _filled(
        "\nLegs, which overlap",
        [
            {
                "leg": row["leg_no"],
                "role": row["role"],
                "direction": row["direction"],
                "from": row["from_party"],
                "to": row["to_party"],
                "name": row["party_name"],
                "UTC": row["started_at"] and f"{row['started_at']:%H:%M:%S}",
                "seconds": _amount(row["total_seconds"]),
                "connected": _YES[row["is_successful"]],
                "result": row["vendor_result"],
                "code": row["end_code"],
                "cost": _money(row["cost"], row["currency"]),
            }
            for row in history.legs
        ],
        right=("leg", "seconds", "cost"),
    )


def _costs(history: CallHistory) -> Table:
    call = history.call
    lines: list[Row] = [
        {
            "line": row["line_no"],
            "component": row["component"],
            "vendor's word": row["vendor_component"],
            "origin": row["source"],
            "quantity x unit price": _quantity(row),
            "amount": _money(row["amount"], row["currency"]) or "not billed",
            "counts": "yes" if row["is_leaf"] else "no, its parts or its twin do",
        }
        for row in history.costs
    ]
    lines += [
        {"component": name, "amount": _money(call[column], call["currency"])}
        for name, column in (
            ("unallocated", "cost_unallocated"),
            ("total", "cost_total"),
        )
    ]
    return _filled("\nCost, line by line", lines, right=("line", "amount"))


def _filled(title: str, rows: list[Row], right: tuple[str, ...]) -> Table:
    """Return a table without the columns that are empty in all rows."""
    names = [name for name in rows[0] if any(row.get(name) for row in rows)]
    table = compact_table(title, *names, right=right)
    for row in rows:
        table.add_row(*(_seen(row.get(name)) for name in names))
    return table


def _quantity(row: Row) -> str:
    quantity, price = row["quantity"], row["unit_price"]
    parts = [_amount(quantity), row["unit"] or ""]
    amount = " ".join(part for part in parts if part)
    if price is None:
        return amount
    return f"{amount} x {_money(price, row['currency'])}".strip()


def _version(version: Version) -> Iterator[Text]:
    yield _seen(f"{_time(version.fetched_at)}  {EVENTS[version.event]}")
    windows = ", ".join(
        f"{one['stream']} of {_span(one)} ({one['purpose']})" for one in version.windows
    )
    yield _seen(f"    raw.{version.table}, load {version.load_id}, {windows}", "dim")
    for change in version.changes:
        old, new = (_shown(change[side]) for side in ("old", "new"))
        text = "withheld" if change["is_withheld"] else f"{old} -> {new}"
        yield _seen(f"    {change['field']}: {text}")


def _shown(value: str | None) -> str:
    return "nothing" if value in {None, ""} else str(value)


def _span(window: Row) -> str:
    start, end = window["window_start"], window["window_end"]
    shown = "%Y-%m-%d" if start.time() == end.time() == datetime.min.time() else None
    return "..".join(f"{one:{shown or '%Y-%m-%d %H:%M'}}" for one in (start, end))


def _listed(*parts: object) -> str:
    return ", ".join(str(part) for part in parts if part not in {None, False, ""})


def _time(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _seconds(seconds: Decimal | None) -> str:
    return "" if seconds is None else f"{_amount(seconds)} s"


def _money(amount: Decimal | None, currency: str | None) -> str:
    return "" if amount is None else f"{_amount(amount)} {currency or ''}".strip()


def _amount(amount: Decimal | None) -> str:
    """Return an amount without the trailing zeros of its type."""
    return "" if amount is None else f"{amount.normalize():f}"


def _seen(value: object, style: str = "") -> Text:
    """Return a text of a vendor with control characters escaped."""
    return Text("" if value is None else escaped(str(value)), style)

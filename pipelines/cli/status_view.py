"""Print ``callhouse status``: the verdict, and a calendar and tables; or JSON."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import groupby

from rich.markup import escape
from rich.table import Table

from pipelines.cli.calendar_view import calendar_lines
from pipelines.cli.findings_view import show_field_changes, show_missing_rates
from pipelines.cli.tables import compact_table, plain, plain_row, plain_rows, stdout
from pipelines.commands.status import AccountStatus, Status
from pipelines.commands.verdict import Verdict
from pipelines.warehouse.published_queries import Row

WIDE = 120
"""Width for a file or a pipe: some months of days, and every table, fit in."""
GAPS = 8
"""How many ranges of missing days are named for an account, the newest first."""
PENDING = {
    "<1 d": "pending_under_1_day",
    "1-7 d": "pending_1_to_7_days",
    "7-30 d": "pending_7_to_30_days",
    ">30 d": "pending_over_30_days",
}


def as_json(found: tuple[Status, Verdict]) -> Row:
    """Return a status and the verdict on it as JSON values."""
    status, verdict = found
    return {
        "verdict": verdict.sentence,
        "is_good": verdict.is_good,
        "as_of": plain(status.as_of),
        "build_error": status.build_error,
        "windows_open": status.windows_open,
        "missing_rates": plain_rows(status.missing_rates),
        "field_changes": plain_rows(status.field_changes),
        "accounts": [
            {
                **plain_row(one.facts),
                "newest_settled_day": plain(one.newest_closed),
                **{
                    f"days_{state}": len(one.lacking(state, status.due_at))
                    for state in ("missing", "partial")
                },
                "days": [
                    {key: plain(row[key]) for key in ("day", "state", "records")}
                    for row in one.days
                ],
                "streams": plain_rows(one.streams),
            }
            for one in status.accounts
        ],
    }


def show_status(found: tuple[Status, Verdict], *, verbose: bool) -> None:
    """Print the verdict and what it rests on; ``verbose``: as wide as the terminal."""
    status, verdict = found
    console = stdout(WIDE)
    style = "bold green" if verdict.is_good else "bold red"
    console.print(verdict.sentence, style=style, markup=False, soft_wrap=True)
    for incident in verdict.incidents:
        since = incident.since
        began = f" (since {since:%Y-%m-%d %H:%M} UTC)" if since else ""
        sentence = f"  {incident.title}: {incident.what}{began}"
        console.print(sentence, markup=False, soft_wrap=True)
    if not verbose:
        return
    console.print(f"\nAs of {status.as_of:%Y-%m-%d %H:%M} UTC\n")
    days = {one.name: one.days for one in status.accounts}
    is_plain = not console.encoding.lower().startswith("utf")
    last = status.now.date()
    for line in calendar_lines(days, last, console.width, is_plain=is_plain):
        console.print(line, no_wrap=True, overflow="crop")
    console.print()
    for one in status.accounts:
        if lacks := _gaps(one, status.due_at):
            console.print(f"[bold red]{escape(one.name)}[/] lacks {lacks}\n")
    for table in (_accounts, _waiting, _streams):
        console.print(table(status))
        console.print()
    show_field_changes(console, status.field_changes)
    show_missing_rates(console, status.missing_rates)
    for one in status.accounts:
        for row in one.streams:
            if row["last_error"]:
                console.print(f"[bold]{escape(one.name)} {row['stream']}[/]", end=" ")
                console.print(row["last_error"], markup=False)


def _gaps(one: AccountStatus, at: datetime) -> str:
    """Return the ranges of days that are not complete, the newest first."""
    ranges = [
        f"{_range([day for _, day in run])} ({state})"
        for state in ("missing", "partial", "unreachable")
        for _, run in groupby(
            enumerate(one.lacking(state, at)),
            key=lambda pair: pair[1] - timedelta(days=pair[0]),
        )
    ]
    ranges.sort(reverse=True)
    more = len(ranges) - GAPS
    return ", ".join(ranges[:GAPS]) + (f", and {more} more ranges" if more > 0 else "")


def _range(days: Sequence[date]) -> str:
    first, last = days[0], days[-1]
    return f"{first}" if first == last else f"{first}..{last}"


def _accounts(status: Status) -> Table:
    names = ("account", "closed until", "missing", "partial", "quarantined")
    title = "Days by state, records in quarantine, the last run and today's quota"
    table = compact_table(title, *names, "last run", "quota left", right=names[2:])
    for one in status.accounts:
        facts = one.facts
        missing, partial = (
            len(one.lacking(s, status.due_at)) for s in ("missing", "partial")
        )
        run = f"{_time(facts['last_run_at'])} {facts['last_run_command']}"
        outcome = facts["last_run_outcome"]
        ended = outcome if outcome == "complete" else f"[bold red]{outcome}[/]"
        limit = facts["daily_requests"]
        table.add_row(
            escape(one.name) + ("" if facts["is_configured"] else " (not configured)"),
            str(one.newest_closed or "-"),
            f"[bold red]{missing}[/]" if missing else "0",
            f"[yellow]{partial}[/]" if partial else "0",
            f"[yellow]{aside:,}[/]" if (aside := facts["quarantined"]) else "0",
            f"{run} {ended}" if outcome else "-",
            f"{facts['requests_left']:,} of {limit:,}" if limit else "no limit set",
        )
    return table


def _waiting(status: Status) -> Table:
    title = (
        "Calls whose end or price is pending, by age; lookback, and what it should be"
    )
    columns = ("account", *PENDING, "99 % final in", "lookback", "needed")
    table = compact_table(title, *columns, right=columns[1:])
    for one in status.accounts:
        facts = one.facts
        final, days = facts["lag_p99_hours"], facts["lookback_days_justified"]
        table.add_row(
            escape(one.name),
            *(f"{facts[name]:,}" for name in PENDING.values()),
            "-" if final is None else f"{final:.1f} h",
            f"{float(facts['lookback_days']):g} d",
            "-" if days is None else f"{days} d",
        )
    return table


def _streams(status: Status) -> Table:
    names = (
        "account",
        "stream",
        "stored from",
        "stored until",
        "last read",
        "all checked",
    )
    counts = ("complete", "incomplete")
    table = compact_table("Windows of each stream", *names, *counts, right=counts)
    for one in status.accounts:
        for row in one.streams:
            is_open = row["windows_open"]
            table.add_row(
                escape(one.name),
                row["stream"],
                _time(row["stored_from"], "%Y-%m-%d"),
                _time(row["stored_until"], "%Y-%m-%d %H:%M"),
                _time(row["last_read_at"]),
                _since(row["checked_since"]),
                f"{row['windows_complete']:,}",
                f"[bold red]{is_open:,}[/]" if is_open else "0",
            )
    return table


def _time(moment: datetime | None, shown: str = "%m-%d %H:%M") -> str:
    return "-" if moment is None else moment.strftime(shown)


def _since(moment: datetime | None) -> str:
    """Return since when all windows of the last 90 days were read or counted."""
    return "-" if moment is None else f"since {_time(moment)}"

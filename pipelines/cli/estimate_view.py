"""Print the estimate of ``callhouse backfill --dry-run``: a table, or JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pipelines.cli.tables import show_rows, stderr
from pipelines.commands.estimate import AccountEstimate, Estimate
from pipelines.commands.pace import duration


def as_json(estimates: Sequence[Estimate]) -> dict[str, Any]:
    """Return the estimates as JSON values; vendors load at the same time."""
    return {
        "seconds": max((round(one.seconds, 1) for one in estimates), default=0.0),
        "requests": sum(a.requests for one in estimates for a in one.accounts),
        "vendors": [
            {**asdict(one), "seconds": round(one.seconds, 1)} for one in estimates
        ],
    }


def show_estimates(estimates: Sequence[Estimate]) -> None:
    """Print a line per stream on stdout, and the total on stderr."""
    show_rows([asdict(stream) for one in estimates for stream in one.streams])
    console = stderr()
    for one in estimates:
        for account in one.accounts:
            text = f"{one.vendor} {_sentence(account)}"
            console.print(text, highlight=False, markup=False)
        for text in (*one.notes, *one.errors):
            console.print(f"{one.vendor}: {text}", highlight=False, markup=False)
    whole = as_json(estimates)
    console.print(
        f"In all about {whole['requests']:,} requests and "
        f"{duration(whole['seconds'])}, the vendors side by side. Nothing was written.",
        highlight=False,
    )


def _sentence(account: AccountEstimate) -> str:
    text = f"{account.account}: about {account.requests:,} requests"
    text += f", {duration(account.seconds)}" if account.requests else ""
    if not account.daily_requests:
        return text
    left = max(0, account.daily_requests - account.used_today)
    text += f"; {left:,} are left today of {account.daily_requests:,} a day"
    return f"{text}, so {account.days} days" if account.days > 1 else text

"""Check the vendors, accounts and days that the options of a command name."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches

from pipelines.config.model import Config, Vendor
from pipelines.config.toml_file import ConfigError
from pipelines.planning.planner import BackfillRequest
from pipelines.planning.windows import DAY


def select_vendors(
    config: Config, names: Sequence[str] | None, aliases: Sequence[str] | None = None
) -> list[Vendor]:
    """Return the named vendors with their accounts of the named aliases; None: all.

    Raises `ConfigError` for a name that is not configured.
    """
    known = {vendor.name: vendor for vendor in config.vendors}
    for name in names or ():
        _check("--vendor", name, known)
    vendors = [known[name] for name in dict.fromkeys(names or known)]
    if not aliases:
        return vendors
    accounts = {account.alias for vendor in vendors for account in vendor.accounts}
    for alias in aliases:
        _check("--account", alias, sorted(accounts))
    chosen = (
        replace(one, accounts=tuple(a for a in one.accounts if a.alias in aliases))
        for one in vendors
    )
    return [vendor for vendor in chosen if vendor.accounts]


def backfill_request(
    first: datetime,
    last: datetime | None,
    now: datetime,
    *,
    is_forced: bool = False,
    newest_first: bool = True,
    confirms_deletions: bool = False,
) -> BackfillRequest:
    """Return a request for the UTC days from ``first`` to ``last``; None: to today.

    Raises `ConfigError` for an empty range, and for one in the future.
    """
    if confirms_deletions and not is_forced:
        raise ConfigError(
            "--confirm-deletions goes with --force: what is deleted shows only when "
            "the days are read again"
        )
    if first > now:
        raise ConfigError(
            f"--from {first:%Y-%m-%d} lies in the future; it is {now:%Y-%m-%d} (UTC)"
        )
    last = now if last is None else last
    if first > last:
        raise ConfigError(
            f"--from {first:%Y-%m-%d} lies after --to {last:%Y-%m-%d}; swap them"
        )
    end = min(last, now).replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    return BackfillRequest(
        first,
        end,
        is_forced=is_forced,
        newest_first=newest_first,
        confirms_deletions=confirms_deletions,
    )


def _check(option: str, name: str, known: Sequence[str] | dict[str, Vendor]) -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"{option} {name}: not configured; configured: {', '.join(known)}{hint}"
        )

"""Ask an account for the first page of each of its lists, to see whether it may.

Nothing is stored. `callhouse doctor` does this for every account, `callhouse init` for
the one that it has just written down.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from pipelines.config.model import Account
from pipelines.extract.errors import VendorError
from pipelines.extract.rate_limit import VendorRun
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.windows import CLOCKS_APART, Window
from pipelines.sources import connect

BACK = timedelta(hours=2)
"""The page asked for is of an hour that is over and that vendors list by now."""
SKEW = timedelta(minutes=1)
"""Clocks that differ by more are worth a word; by `CLOCKS_APART` nothing is loaded."""
PATIENCE_SECONDS = 20.0
"""An operator waits; a run has more patience."""


@dataclass(frozen=True)
class AccountCheck:
    """What an account answered."""

    vendor: str
    account: str
    granted: tuple[str, ...] = ()
    """Lists that it may read."""
    refused: dict[str, str] = field(default_factory=dict)
    """By list, the vendor's words; an optional list may be among them."""
    optional: frozenset[str] = frozenset()
    """Lists without which an account is complete."""
    requests: int = 0
    skew: timedelta = timedelta()
    """How much this machine's clock is ahead of the vendor's."""

    @property
    def is_usable(self) -> bool:
        """Return True if every list that is needed can be read."""
        return not self.refused.keys() - self.optional


def check_account(
    account: Account, now: datetime, *, is_as_of: bool = False
) -> AccountCheck:
    """Return which lists an account may read; one small page of each is requested.

    ``is_as_of``: the time was set with --now. Raises nothing: what goes wrong is the
    answer.
    """
    clocks = VendorRun(lambda: now, now if is_as_of else None)
    name, alias = account.vendor, account.alias
    settings = msgspec.structs.replace(
        account.settings, page_size=1, patience_seconds=PATIENCE_SECONDS
    )
    try:
        source = connect(name, settings, ReadOptions(lambda: now, run=clocks))
    except VendorError as error:
        return AccountCheck(name, alias, refused={"sign-in": str(error)})
    granted, refused = [], {}
    start = (now - BACK).replace(minute=0, second=0, microsecond=0)
    for endpoint in source.endpoints:
        stream = endpoint.stream
        window = Window(start, start + timedelta(hours=1), stream.name)
        try:
            next(iter(endpoint.fetch(window)), None)
        except VendorError as error:
            refused[stream.name] = str(error)
            if error.stops_account and not error.lacks_scope:
                break
        else:
            granted.append(stream.name)
    optional = {one.stream.name for one in source.endpoints if one.stream.is_optional}
    return AccountCheck(
        *(name, alias, tuple(granted), refused, frozenset(optional)),
        requests=source.client.sent,
        skew=clocks.behind,
    )


def sentence_of(check: AccountCheck) -> str:
    """Return what was found out, in words."""
    parts = []
    if check.granted:
        parts.append(f"may read {', '.join(check.granted)}")
    for name, why in check.refused.items():
        need = ", which is optional" if name in check.optional else ""
        parts.append(f"may not read {name}{need}: {why}")
    if check.skew > SKEW:
        apart = round(check.skew.total_seconds())
        most = CLOCKS_APART.seconds // 60
        parts.append(
            f"this machine's clock is {apart} seconds ahead of the vendor's; from "
            f"{most} minutes on nothing is loaded"
        )
    return "; ".join(parts)

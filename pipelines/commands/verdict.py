"""Whether everything that is due is in, in one line."""

from dataclasses import dataclass

from pipelines.commands.incidents import Incident, of_status
from pipelines.commands.pace import duration
from pipelines.commands.status import Status

NAMED = 5
"""How many accounts the line names."""


@dataclass(frozen=True)
class Verdict:
    """What `callhouse status` says first."""

    sentence: str
    incidents: tuple[Incident, ...]
    """What is stale, failed or incomplete; empty: all is in."""

    @property
    def is_good(self) -> bool:
        """Return True if everything that is due is in."""
        return not self.incidents


def verdict_of(status: Status) -> Verdict:
    """Return the verdict on a status.

    A day is due once it was over at the last build: what happened since is the affair
    of the next one, and if that does not come, of the age.
    """
    found = of_status(status)
    if not found:
        age = duration(status.age.total_seconds())
        return Verdict(f"All in, {age} old.", ())
    whole = [one for one in found if not one.subject]
    parts = [f"{one.title}: {one.what}." for one in whole]
    if accounts := [one for one in found if one.subject]:
        configured = sum(bool(one.facts["is_configured"]) for one in status.accounts)
        since = [one.since for one in accounts if one.since is not None]
        opened = f" since {min(since):%Y-%m-%d}" if since else ""
        names = ", ".join(one.subject for one in accounts[:NAMED])
        if (more := len(accounts) - NAMED) > 0:
            names += f" and {more} more"
        lack = "lacks" if len(accounts) == 1 else "lack"
        parts.append(
            f"{len(accounts)} of {configured} accounts {lack} days or windows{opened}: "
            f"{names}."
        )
    remedy = found[0].remedy
    return Verdict(f"{' '.join(parts)} {remedy[0].upper()}{remedy[1:]}.", tuple(found))

"""The state of the warehouse as metrics, in a text file that Prometheus collects."""

from collections import Counter
from collections.abc import Sequence

from pipelines.commands.incidents import TITLES, Incident
from pipelines.commands.status import AccountStatus, Status
from pipelines.config.model import Config
from pipelines.warehouse.opening import FileError

READABLE = 0o644
"""The collector is another user."""
ACCOUNT = ("vendor", "account")
PENDING = (
    *("pending_under_1_day", "pending_1_to_7_days"),
    *("pending_7_to_30_days", "pending_over_30_days"),
)


def write_metrics(
    config: Config, incidents: Sequence[Incident], status: Status | None
) -> None:
    """Replace the configured text file; without one nothing is written.

    ``status`` is None if there is no published file that can be read. Raises
    `FileError` if the file cannot be written.
    """
    from prometheus_client import (  # noqa: PLC0415 - only where it is configured
        CollectorRegistry,
        Gauge,
        write_to_textfile,
    )

    path = config.operation.metrics.textfile
    if path is None:
        return
    registry = CollectorRegistry()

    def gauge(name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(f"callhouse_{name}", meaning, labels, registry=registry)

    counts = Counter(one.kind for one in incidents)
    kinds = gauge("incidents", "What somebody should act on, by its kind.", ["kind"])
    for kind in TITLES:
        kinds.labels(kind).set(counts[kind])
    if status is not None:
        built = gauge("build_timestamp_seconds", "What the tables are as of.")
        built.set(status.as_of.timestamp())
        of_accounts = {
            name: gauge(name, meaning, ACCOUNT) for name, meaning in MEANINGS.items()
        }
        for own in status.accounts:
            if own.facts["is_configured"]:
                for name, value in _values(own, status).items():
                    of_accounts[name].labels(*own.name.split(" ")).set(value)
    try:
        write_to_textfile(str(path), registry)
        path.chmod(READABLE)
    except OSError as error:
        raise FileError(
            f"{path} cannot be written: {error.strerror}; name another as [metrics] "
            "textfile"
        ) from None


MEANINGS = {
    "days_missing": "Days that are due and of which nothing is stored.",
    "days_partial": "Days that are due and of which not all is stored.",
    "windows_open": "Windows that the next run reads again.",
    "records_quarantined": "Records that cannot be read.",
    "calls_pending": "Calls whose end or price is pending.",
    "requests_today": "Requests sent since midnight UTC.",
    "requests_limit": "Requests that a day has; without a limit there is no such line.",
    "last_run_timestamp_seconds": "When the last run of the vendor began.",
}


def _values(own: AccountStatus, status: Status) -> dict[str, float]:
    """Return an account's values, without those that are not known."""
    facts = own.facts
    last = facts["last_run_at"]
    found = {
        "days_missing": len(own.lacking("missing", status.due_at)),
        "days_partial": len(own.lacking("partial", status.due_at)),
        "windows_open": sum(row["windows_open"] for row in own.streams),
        "records_quarantined": facts["quarantined"],
        "calls_pending": sum(facts[name] for name in PENDING),
        "requests_today": facts["requests_today"],
        "requests_limit": facts["daily_requests"],
        "last_run_timestamp_seconds": last.timestamp() if last else None,
    }
    return {name: value for name, value in found.items() if value is not None}

"""What a vendor lists by time, declared once per stream: keys and how to plan it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.planning.windows import DAY, Window, read_time


@dataclass(frozen=True)
class Stream:
    """What a vendor lists by time: where its keys stand, how it may be planned."""

    name: str
    """The ledger's name of it."""
    table: str
    """The raw table; streams that list the same records share one."""
    record_id: str
    event_at: str
    """The record's own time, one that never changes; "" for a reference."""
    read_time: Callable[[str], datetime] = read_time
    version: str = ""
    """A time of last change in the record: the newer of two copies wins."""
    bounded_by: str = ""
    """The time that windows filter on. Records outside mean that the vendor did not
    understand the question, and are an error."""
    lookback: timedelta = 3 * DAY
    """A window is read again until a read began this long after its end."""
    min_lookback: timedelta = timedelta(0)
    """No setting makes the lookback shorter: by the vendor's rules, records come so
    late."""
    lag: timedelta = timedelta(minutes=5)
    """Windows end this long before now: the newest records may not be listed yet."""
    complete_for: timedelta = timedelta.max
    """A complete read of a window has all its records until this long after its end:
    a record that is stored and does not come then is deleted."""
    total_is_exact: bool = True
    """Whether the vendor's total is a count; else an estimate, which may be more than
    it ever lists."""
    shifts: bool = True
    """Pages are counted off from the first record, so that one that comes or goes
    between two pages moves others from one to the other, or past both."""
    whole_months: bool = False
    """The history begins with a month: a price depends on the month's other calls."""
    is_reference: bool = False
    """A few records without a time of their own, read whole in every run."""
    is_optional: bool = False
    """A setting of its name turns it off. An account without the right to it gets a
    note, and is complete without it."""
    calls: str = "from latest"
    """SQL that finds the calls among ``latest``, the newest version of each record
    that is listed (``warehouse/queries/latest.sql``); "": none of them is one."""
    pending: str = ""
    """SQL that finds the records of ``latest`` whose end or price is still to come;
    "": no one waits for this stream's records."""
    ids_per_request: int = 0
    """How many records one request can ask for by id; 0: the vendor cannot be asked."""
    personal: tuple[str, ...] = ()
    """Keys of a record that say who called or what was spoken: blank in a later
    version, they are blanked in all of them."""
    erased_mark: str = ""
    """The key that is true once the vendor has depersonalised a record."""

    def lookback_or(self, configured: timedelta | None) -> timedelta:
        """Return the lookback where a vendor's setting, if any, asks for another."""
        if configured is None:
            return self.lookback
        return max(configured, self.min_lookback)

    def lists_all(self, window: Window, now: datetime) -> bool:
        """Return True if a complete read of a window has every record in it."""
        is_recent = now - window.end <= self.complete_for
        return self.is_by_own_time and is_recent and not window.ids

    @property
    def proves_absence(self) -> bool:
        """Return True if a read can show that a record is no longer there."""
        return self.is_by_own_time and self.complete_for > timedelta()

    @property
    def is_by_own_time(self) -> bool:
        """Return True if its windows go by the record's own time."""
        return not self.is_reference and self.bounded_by in {"", self.event_at}

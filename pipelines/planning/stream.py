"""A list of records that a vendor gives by time: its keys, and how to plan it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.planning.windows import DAY, Window, read_time


@dataclass(frozen=True)
class Stream:
    """A list of records that a vendor gives by time: its keys, and how to plan it."""

    name: str
    """Its name in the ledger and in the configuration."""
    table: str
    """The raw table; streams that list the same records share one."""
    primary_key: str
    """The record's key that has its id."""
    event_time_field: str
    """The key that has the record's own time, which never changes; "" for a stream
    that is read whole."""
    read_time: Callable[[str], datetime] = read_time
    """How that time, and those of the next two keys, are written."""
    updated_at_field: str = ""
    """The key that has the time of the last change: of two copies the newer wins."""
    filter_field: str = ""
    """The key that has the time by which the vendor filters, if it is another one. A
    record outside its window shows that the filter did not work: an error."""
    lookback: timedelta = 3 * DAY
    """A window is read again until a read began this long after its end."""
    min_lookback: timedelta = timedelta(0)
    """The shortest lookback that a setting can ask for: by the vendor's rules, records
    come this late."""
    availability_delay: timedelta = timedelta(minutes=5)
    """Windows end this long before now: the newest records may not be listed yet."""
    complete_for: timedelta = timedelta.max
    """A complete read of a window has all its records until this long after its end.
    A stored one that does not come is missing; whether it is deleted, the rule in
    `planning.deletion` decides."""
    total_is_exact: bool = True
    """Whether the vendor's total is a count; else it is an estimate, which may be more
    than the vendor ever lists."""
    has_unstable_pages: bool = True
    """Pages are counted from the first record: when a record appears or disappears
    between two pages, others move from one page to the next, or are skipped."""
    whole_months: bool = False
    """The history begins with a month: a price depends on the month's other calls. So
    it is for each stream of an account that has a rate card with an allowance."""
    is_full_refresh: bool = False
    """A few records without a time of their own, all of which are read in every run."""
    is_optional: bool = False
    """A setting of its name turns it off. An account without the right to it gets a
    note, and is complete without it."""
    calls: str = "from latest"
    """SQL that finds the calls among ``latest``, the newest version of each record
    that is listed (``warehouse/queries/raw/latest.sql``); "": none of them is one."""
    pending: str = ""
    """SQL that finds the records of ``latest`` whose end or price is still to come;
    "": none of this stream's records is ever pending."""
    ids_per_request: int = 0
    """How many records one request can ask for by id; 0: the API cannot do it."""
    personal: tuple[str, ...] = ()
    """Keys of a record that say who the customer is or what was spoken.

    ``legs.name`` is a key within a list or an object. ``to unless direction=inbound``
    is not the customer's where the key ``direction`` beside it has that value, or one
    of several, as in ``role=Agent|2``. ``data.* except size|kind`` is all that is in
    ``data``, which anybody may have written, but for these keys.
    Of ``message keeping hung up|answered by …`` these texts stay, the second one up to
    its …, and any other text goes. ``from but for [0-9]{3}`` is a regular expression of
    values that are the business's own."""
    is_erased_by_blanking: bool = False
    """Whether a personal key that is blank in a later version was erased by the vendor,
    and is blanked in all versions."""
    erased_mark: str = ""
    """The key that is true once the vendor has depersonalised a record."""

    def lookback_or(self, configured: timedelta | None) -> timedelta:
        """Return the configured lookback, or the stream's own without one."""
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
        return not self.is_full_refresh and self.filter_field in {
            "",
            self.event_time_field,
        }

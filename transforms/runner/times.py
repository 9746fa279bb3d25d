"""Times as vendors write them: one reader of ISO 8601 for the loader and the models.

A text that one of the two reads and the other does not would be a call without its
end, so the rule stands here once, and no caller casts a text to a time by itself.
"""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
_WRITTEN = re.compile(
    r"(?P<date>\d{4}-?\d\d-?\d\d|\d{4}-?W\d\d(?:-?\d)?)"
    r"(?:[T\s_](?P<clock>\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?)"
    r"(?:\s*(?P<offset>Z|UTC|GMT|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)(?:\[[^]]+\])?)?)?",
    re.ASCII | re.IGNORECASE,
)
"""What RFC 9557 adds in brackets names the zone whose offset stands before it."""
_USUAL = {"", "T", " "}
"""What follows on a date of ten characters, where `datetime.fromisoformat` reads no
text that `_WRITTEN` does not, and reads it in the same way."""
_END_OF_DAY = re.compile(r"24(:?00(:?00([.,]0+)?)?)?")


def read_time(text: str, zone: str | None = None) -> datetime:
    """Return the moment, in UTC, that a text names in any form of ISO 8601.

    ``zone`` is what the vendor's document says of a time without an offset; without
    it, such a time is an error. What is finer than a microsecond is cut off. Raises
    ValueError for everything else, a moment outside of the years 1 to 9999 among it.
    """
    if text[10:11] in _USUAL:  # most times are, and the library is ten times as fast
        with suppress(ValueError):
            return _in_utc(datetime.fromisoformat(text), zone)
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        raise ValueError("not a time in ISO 8601")
    day, clock = date.fromisoformat(match["date"].upper()), match["clock"] or "00"
    offset = "Z" if match["offset"] in {"z", "UTC", "GMT"} else match["offset"] or ""
    is_end = _END_OF_DAY.fullmatch(clock) is not None
    moment = datetime.combine(
        day, time.fromisoformat(("00" if is_end else clock) + offset)
    )
    return _in_utc(moment, zone, DAY if is_end else timedelta())


def _in_utc(
    moment: datetime, zone: str | None, later: timedelta = timedelta()
) -> datetime:
    if moment.tzinfo is None:
        if zone is None:
            raise ValueError("a time without a zone")
        moment = moment.replace(tzinfo=UTC if zone == "UTC" else ZoneInfo(zone))
    if moment.tzinfo is UTC and not later:
        return moment
    try:
        return moment.astimezone(UTC) + later
    except OverflowError:
        raise ValueError("a time before the first or after the last year") from None

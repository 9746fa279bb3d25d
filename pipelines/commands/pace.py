"""The speed of a load, and the time it still needs, in words."""

from humanize import precisedelta


def pace(seconds: float, done: int, planned: int, records: int) -> str:
    """Return the speed so far and the time left; "" before the first window is done.

    >>> pace(30.0, 32, 365, 12_345)
    '412 records/s, about 5 minutes left'
    """
    if not done or seconds <= 0:
        return ""
    rate = f"{records / seconds:,.0f} records/s"
    if done >= planned:
        return rate
    return f"{rate}, about {duration(seconds / done * (planned - done))} left"


def duration(seconds: float) -> str:
    """Return a duration in words: seconds below a minute, days and hours above a day.

    >>> [duration(one) for one in (0.2, 59, 60, 5_400, 100_000)]
    ['1 second', '59 seconds', '1 minute', '1 hour and 30 minutes', '1 day and 4 hours']
    """
    minute, day = 60, 86_400
    unit = "seconds" if seconds < minute else "minutes" if seconds < day else "hours"
    return precisedelta(max(1, round(seconds)), minimum_unit=unit, format="%.0f")

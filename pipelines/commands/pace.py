"""How fast a load goes, and how long it will still take, in words."""


def pace(seconds: float, done: int, planned: int, records: int) -> str:
    """Return the records a second so far and what is left; "" while nothing is known.

    >>> pace(30.0, 32, 365, 12_345)
    '412 records/s, about 5 min left'
    """
    if not done or seconds <= 0:
        return ""
    rate = f"{records / seconds:,.0f} records/s"
    if done >= planned:
        return rate
    return f"{rate}, about {duration(seconds / done * (planned - done))} left"


def duration(seconds: float) -> str:
    """Return a time to wait for, as long as people speak of it.

    >>> [duration(one) for one in (0.2, 59, 60, 5_400, 172_800)]
    ['1 s', '59 s', '1 min', '1.5 h', '2.0 days']
    """
    minute, hour, day = 60, 3600, 86_400
    if seconds < minute:
        return f"{max(1, round(seconds))} s"
    if seconds < hour:
        return f"{round(seconds / minute)} min"
    if seconds < 2 * day:
        return f"{seconds / hour:.1f} h"
    return f"{seconds / day:.1f} days"

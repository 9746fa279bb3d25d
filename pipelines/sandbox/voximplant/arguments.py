"""What a request to Voximplant asks for: dates, pages, parts and filters.

An argument that is not documented, or not served, is refused with the vendor's error.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pipelines.sandbox.voximplant import history as past

Asked: TypeAlias = Mapping[str, str]
Wanted: TypeAlias = Callable[[past.Session, datetime], bool]
COUNTS = range(1, 1001)
OFFSETS = range(10_001)
MOST_IDS = 1000
DEFAULT_ZONE = "Etc/GMT"
DEFAULT_SPAN = timedelta(days=30)
"""What is listed where the dates are missing, which is a warning and no error."""
WORDS = {"true": True, "1": True, "false": False, "0": False}
FLAGS = {
    "with_calls": False,
    "with_records": False,
    "with_other_resources": True,
    "with_total_count": True,
    "desc_order": False,
    "children_calls_only": False,
    "is_async": False,
    "with_header": False,
    "with_extended_info": False,
    "is_uncommitted": False,
}
"""What is taken for a flag that is not sent."""
LISTS = {*("cmd", "output", "timezone", "from_date", "to_date", "count", "offset")}
FILTERS = {
    *("call_session_history_id", "application_id", "application_name", "rule_name"),
    *("user_id", "remote_number", "remote_number_list", "local_number"),
    *("call_session_history_custom_data", "min_duration", "max_duration"),
    "child_account_id",
}
OF_LEDGER = {"with_extended_info", "is_uncommitted"}
CALL_HISTORY = LISTS | FILTERS | (FLAGS.keys() - OF_LEDGER)
"""The arguments of GetCallHistory."""
TRANSACTIONS = LISTS | OF_LEDGER | {"with_total_count", "desc_order"}
TRANSACTIONS |= {"transaction_id", "transaction_type"}
"""Those of GetTransactionHistory that are served; it has more."""


class RefusedError(Exception):
    """Raised anywhere in a request; carries Voximplant's error code and message."""

    def __init__(self, code: int, message: str) -> None:
        """One of the codes of the vendor's errors page."""
        super().__init__(message)
        self.code = code


def check_names(asked: Asked, known: set[str]) -> None:
    """Refuse an argument that the command does not have."""
    for name in sorted(asked.keys() - known):
        raise RefusedError(101, f"Invalid argument: {name}")


def whole(asked: Asked, name: str, default: int, allowed: range) -> int:
    """Return a whole number in a range."""
    text = asked.get(name, str(default))
    if not text.isdecimal() or int(text) not in allowed:
        raise RefusedError(101, f"Invalid argument: {name}")
    return int(text)


def flag(asked: Asked, name: str) -> bool:
    """Return a flag, which every client writes in its own way."""
    text = asked.get(name, str(FLAGS[name])).lower()
    if text not in WORDS:
        raise RefusedError(101, f"Invalid argument: {name}")
    return WORDS[text]


def zone(asked: Asked) -> ZoneInfo:
    """Return the zone of the question and of its answer."""
    name = asked.get("timezone", DEFAULT_ZONE)
    try:
        return past.LOCATION if name == "auto" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RefusedError(101, "Invalid argument: timezone") from error


def window(
    asked: Asked, zone: ZoneInfo, now: datetime
) -> tuple[datetime, datetime, list[str]]:
    """Return both dates, and a warning for each that is missing."""
    sent = {name: _moment(asked, name, zone) for name in ("from_date", "to_date")}
    until = sent["to_date"] or now
    since = sent["from_date"] or until - DEFAULT_SPAN
    warnings = [
        f"Required '{name}' parameter isn't set."
        for name, moment in sent.items()
        if moment is None
    ]
    return since, until, warnings


def _moment(asked: Asked, name: str, zone: ZoneInfo) -> datetime | None:
    if not (text := asked.get(name)):
        return None
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    except ValueError as error:
        raise RefusedError(111, "Invalid date format") from error
    return moment.replace(tzinfo=zone).astimezone(UTC)


def numbers(asked: Asked, name: str) -> frozenset[int] | None:
    """Return the numbers of a list that is parted by semicolons."""
    text = asked.get(name)
    if text is None:
        return None
    parts = text.split(";")
    if not all(part.isdecimal() for part in parts) or len(parts) > MOST_IDS:
        raise RefusedError(101, f"Invalid argument: {name}")
    return frozenset(map(int, parts))


def filters(asked: Asked, account: int) -> Wanted:
    """Return whether a session at a moment is one of those asked for.

    Without a word of children, sessions of child accounts are left out.
    """
    ids = numbers(asked, "call_session_history_id")
    application = numbers(asked, "application_id")
    users = numbers(asked, "user_id")
    children = numbers(asked, "child_account_id")
    only_children = flag(asked, "children_calls_only")
    span = [
        whole(asked, name, default, range(10**9))
        for name, default in (("min_duration", 0), ("max_duration", 10**9 - 1))
    ]
    has_span = bool({"min_duration", "max_duration"} & asked.keys())
    has_application = bool({"application_id", "application_name"} & asked.keys())
    named = {
        "application_name": asked.get("application_name"),
        "rule_name": asked.get("rule_name") if has_application else None,
        "custom_data": asked.get("call_session_history_custom_data"),
    }
    remote, local = _remote(asked), texts(asked.get("local_number"))

    def wanted(session: past.Session, now: datetime) -> bool:
        facts = session.facts
        owner = facts["account_id"]
        if children is not None:
            is_owners = owner in children
        else:
            is_owners = (owner == account) is not only_children
        seconds = int((session.ended - session.start).total_seconds())
        legs = [leg for leg in session.legs if now >= leg.begun]
        return (
            is_owners
            and (ids is None or session.session_id in ids)
            and (application is None or facts.get("application_id") in application)
            and (users is None or facts.get("user_id") in users)
            and all(v is None or facts.get(n) == v for n, v in named.items())
            and (not has_span or (session.ended <= now and _between(seconds, span)))
            and (
                not remote or any(leg.facts["remote_number"] in remote for leg in legs)
            )
            and (not local or any(leg.facts["local_number"] in local for leg in legs))
        )

    return wanted


def _between(value: int, span: list[int]) -> bool:
    return span[0] <= value <= span[1]


def _remote(asked: Asked) -> frozenset[str]:
    """Return the numbers of the JSON array, or else those parted by semicolons."""
    try:
        listed = msgspec.json.decode(
            asked.get("remote_number_list") or "[]", type=list[str]
        )
    except msgspec.MsgspecError as error:
        raise RefusedError(101, "Invalid argument: remote_number_list") from error
    return frozenset(listed) or texts(asked.get("remote_number"))


def texts(text: str | None) -> frozenset[str]:
    """Return the words of a list that is parted by semicolons."""
    return frozenset(text.split(";")) if text else frozenset()

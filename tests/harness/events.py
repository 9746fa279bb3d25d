"""What may happen between two nights: to calls, to answers, to a process, to files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

ANSWERS: tuple[Mapping[str, object], ...] = (
    {"kind": "html"},
    {"kind": "error200"},
    {"kind": "not_json"},
    {"kind": "truncated"},
    {"kind": "truncated", "framed": True},
    {"kind": "status", "status": 400},
    {"kind": "status", "status": 403},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
    {"kind": "status", "status": 500},
    {"kind": "slow", "seconds": 0.2},
    {"kind": "redirect"},
    {"kind": "missing_key"},
    {"kind": "renamed_key"},
    {"kind": "null_records"},
    {"kind": "malformed_record", "variant": "id"},
    {"kind": "malformed_record", "variant": "timestamp"},
    {"kind": "malformed_record", "variant": "all"},
    {"kind": "extra_record_far_future"},
    {"kind": "inexact_total"},
    {"kind": "stale_total"},
    {"kind": "error_beside"},
    {"kind": "errors_beside"},
    {"kind": "repeat_page"},
    {"kind": "cached_answer"},
    {"kind": "expire_token"},
    {"kind": "another_program"},
    {"kind": "sign_in_down"},
    {"kind": "expire_page_token"},
    {"kind": "nul_in_text"},
)
"""Faults of a vendor's answers: the sandbox's kinds (`pipelines.sandbox.faults`)."""
ONLY = {
    "sign_in_down": ("zoom", "evovoice", "twin"),
    "another_program": ("zoom", "evovoice", "twin"),
    "expire_page_token": ("zoom",),
}
HARMLESS = frozenset({"slow", "expire_token", "another_program", "nul_in_text"})
"""A night is complete in spite of them."""

NIGHTS = {
    "plain": 8,
    "killed": 6,
    "missed": 3,
    "at_once": 2,
    "again": 2,
    "backfill": 2,
    "restored": 2,
    "wiped": 2,
    "check_fails": 1,
    "disk_full": 1,
}
"""What happens to the process and its files, and how often."""


@dataclass(frozen=True)
class Odds:
    """How eventful a history is; a test of one thing sets the others to 0."""

    fault: float = 0.5
    blank: float = 0.2
    hidden_day: float = 0.2
    meanwhile: float = 0.3
    delete: float = 0.6
    empty: float = 0.4
    """Of the deletions, those that take all calls of a day, where they are few."""
    restore: float = 0.4
    move: float = 0.6
    late: float = 0.4
    undate: float = 0.2
    erase: float = 0.2
    nights: Mapping[str, int] | None = None
    """Weights, as those of `NIGHTS`."""
    answers: tuple[str, ...] = ()
    """Kinds of faults of answers; none: all of them."""
    armed: Mapping[str, object] = field(default_factory=dict)
    """What such a fault has instead of what is drawn."""
    first: bool = False
    """The first night too has its faults of answers: nothing is known before it."""
    kill: tuple[str, str] | None = None
    """The process that is killed, and the audit event at which, instead of a step."""


def fault(rng: Random, vendor: str, odds: Odds) -> dict[str, object]:
    """Return a fault of a vendor's answers, to be armed before a night."""
    possible = [
        one
        for one in ANSWERS
        if vendor in ONLY.get(str(one["kind"]), (vendor,))
        and (not odds.answers or one["kind"] in odds.answers)
    ]
    after, times = rng.choice((0, 0, 1, 2, 4, 8)), rng.choice((1, 1, 2, 3, None))
    found = {**rng.choice(possible), "vendor": vendor, "after": after, "times": times}
    # Else a second read of the same window, without it, could be what is stored.
    found |= {"times": None} if found["kind"] == "nul_in_text" else {}
    return found | {**odds.armed}


def night(rng: Random, odds: Odds) -> str:
    """Return what happens to the process in this night."""
    weights = NIGHTS if odds.nights is None else odds.nights
    return rng.choices(list(weights), list(weights.values()))[0]


CALM: Mapping[str, float] = dict.fromkeys(
    (
        *("fault", "blank", "hidden_day", "meanwhile", "delete", "restore"),
        *("move", "late", "undate", "erase"),
    ),
    0.0,
)
"""Odds of a history in which nothing happens but calls."""

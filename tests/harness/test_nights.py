"""A short history of nights, kills and faults, and a bug that must not stay unseen.

``make soak`` lives through many long ones with all vendors, ``make soak-tests``
plants every bug.
"""

import os
from collections import Counter
from decimal import Decimal

import pytest
from conftest import TUESDAY
from harness.bugs import BUGS, history_of
from harness.events import CALM, Odds
from harness.history import PEAK
from harness.soak import never_effective, one_history
from harness.truth import Call, Key, Published, differences

from pipelines.planning.windows import DAY

SHORT = Odds(fault=0, hidden_day=0, blank=0, nights={"killed": 1})


def test_what_is_published_is_the_truth_after_every_complete_run() -> None:
    """Seed 4 has two accounts; at its end all is built anew, and loaded at once."""
    counts, wrong = one_history(4, 0, ["twin", "whippy"], SHORT, quiet=1)
    assert wrong == ""
    assert counts["calls compared"] > 0
    assert counts["full builds equal"] == 1
    assert counts["calls equal to one load"] > 0
    assert counts[PEAK] > 0
    assert sum(count for name, count in counts.items() if "kill of" in name) > 0


def test_a_bug_does_not_stay_unseen() -> None:
    """The cheapest to find of all; ``make soak-tests`` plants the others."""
    calm = Odds(**CALM, nights={"plain": 1})
    _, wrong = one_history(3, 0, ["voximplant"], calm, bug="local_time", quiet=0)
    assert "stale" in wrong
    assert "--bug local_time" in wrong


@pytest.mark.soak
@pytest.mark.parametrize("bug", BUGS)
def test_each_planted_bug_turns_a_history_red(bug: str) -> None:
    odds, vendors, seeds = history_of(bug)
    histories = (one_history(seed, 6, vendors, odds, bug)[1] for seed in seeds)
    assert any(histories), f"none of {seeds} shows it; it needs {BUGS[bug].needs}"


@pytest.mark.soak
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_stops_a_run_and_changes_nothing() -> None:
    odds = Odds(**CALM, nights={"disk_full": 1})
    counts, wrong = one_history(1, 2, ["twin"], odds, quiet=0)
    assert wrong == ""
    assert counts["fault: disk full"] == 2


def test_a_fault_that_never_took_effect_is_reported() -> None:
    counts = Counter({"drawn: html": 2, "drawn: slow": 1, "fault: slow": 1})
    assert never_effective(counts) == ["html"]


def test_a_wrong_fact_is_named_with_what_it_is() -> None:
    at, other = TUESDAY - DAY, TUESDAY - 2 * DAY
    calls = {key(name): Call(at, at, (at, Decimal(1))) for name in ("lost", "stale")}
    calls |= {key(name): Call(at, at, (at, Decimal(1))) for name in ("good", "float")}
    facts = {
        key("stale"): (other, Decimal(1)),
        key("good"): (at, Decimal(1)),
        key("float"): (at, 1.0),
        key("ghost"): (at, Decimal(1)),
        key("suspect"): (at, Decimal(1)),
    }
    suspected = {key("suspect"): TUESDAY - DAY / 24}
    found = Published(facts, frozenset(), (key("good"),), suspected)
    named = differences("twin", calls, found, since=other, now=TUESDAY)
    assert sorted(one[:5] for one in named) == [
        *("dupli", "ghost", "lost ", "stale", "stale")
    ]


def key(name: str) -> Key:
    return Key("twin", "main", name)

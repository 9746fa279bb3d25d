"""A night that is killed, or whose system calls fail, is made good by the next one.

A few places for each commit; ``make soak`` has all of them, of every vendor.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping

import pytest
from conftest import VENDORS
from harness.kill_points import in_order, kill_at
from harness.launch import COMMAND
from harness.one_night import OneNight, nights_of
from harness.system_calls import KILL, Fault, fail

STRACE = shutil.which("strace")
CAN_TRACE = (
    bool(STRACE)
    and not subprocess.run(
        [f"{STRACE}", "-o", "/dev/null", "true"], check=False, capture_output=True
    ).returncode
)
FAULTS = (
    ("twin", "pwrite64", "error=ENOSPC", 4),
    (COMMAND, "fdatasync", "error=EIO", 2),
    (COMMAND, "rename", "error=EROFS", 1),
    (COMMAND, "pwrite64", KILL, 9),
)
SOAK = pytest.mark.soak


@pytest.fixture(scope="module")
def nights() -> Iterator[Mapping[str, OneNight]]:
    with nights_of(["twin"]) as nights:
        yield nights


def test_steps_are_tried_in_an_order_that_may_end_at_any_time() -> None:
    order = in_order({("twin", COMMAND): 40, ("twin", "twin"): 20})
    assert len(set(order)) == len(order) == 60
    assert [step for *_, step in order[:8]] == [1, 1, 17, 17, 33, 9, 9, 25]
    assert {place for _, place, _ in order[:2]} == {COMMAND, "twin"}


@pytest.mark.parametrize(
    ("place", "part"),
    [
        pytest.param(COMMAND, 2 / 3, marks=SOAK),
        ("twin", 1 / 3),
        pytest.param("twin", 3 / 4, marks=SOAK),
    ],
)
def test_a_night_that_is_killed_is_made_good_by_the_next(
    nights: Mapping[str, OneNight], place: str, part: float
) -> None:
    night = nights["twin"]
    is_dead, wrong = kill_at(night, place, round(part * night.steps[place]))
    assert is_dead
    assert wrong == []


@pytest.mark.skipif(not CAN_TRACE, reason="strace is missing, or may not trace here")
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            Fault("twin", *fault), id="-".join(map(str, fault)), marks=[SOAK] * (n > 0)
        )
        for n, fault in enumerate(FAULTS)
    ],
)
def test_a_system_call_that_fails_makes_no_run_wrong(
    nights: Mapping[str, OneNight], fault: Fault
) -> None:
    is_hit, code, wrong = fail(nights["twin"], fault)
    assert is_hit
    assert code != 0 or fault.call == "fdatasync"
    assert wrong == []


@pytest.mark.soak
@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendors_night_is_made_good(vendor: str) -> None:
    with nights_of([vendor]) as nights:
        night = nights[vendor]
        for _, place, step in in_order({(vendor, vendor): night.steps[vendor]})[:8]:
            is_dead, wrong = kill_at(night, place, step)
            assert is_dead
            assert wrong == []

"""Bad input: one sentence says what, where and what to do; others are unharmed."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from conftest import FEW, VENDORS, House, open_house
from patience import PATIENCE

from pipelines.extract.client import ATTEMPTS
from pipelines.planning.windows import read_time

NOW = read_time("2026-11-17T03:00:00Z")
COUNTS = "select vendor, count(*) from fact_calls group by 1 order by 1"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a house with three days of calls, complete."""
    folder = tmp_path_factory.mktemp("refusals")
    with open_house(folder, NOW, days=3, volume=20) as house:
        night = house.night(NOW)
        assert night.returncode == 0, night.stderr
        yield house
        # Whatever failed meanwhile, one night without faults makes good.
        (last,) = house.query("select max(started_at) from ops.load_windows")[0]
        healed = house.night(last + timedelta(hours=6))
        assert healed.returncode == 0, healed.stderr


@pytest.fixture
def nights(house: House) -> Iterator[Iterator[datetime]]:
    """Give ever later nights, and leave no fault behind."""

    def later() -> Iterator[datetime]:
        (last,) = house.query("select max(started_at) from ops.load_windows")[0]
        while True:
            last += timedelta(hours=6)
            yield last

    yield later()
    house.disarm()


def broken_night(
    house: House, now: datetime, vendor: str, expected: str, **changed: str
) -> dict[str, Any]:
    """Run a night in which one vendor fails: the other loads, its calls stay."""
    other = VENDORS[VENDORS.index(vendor) - 1]
    before = dict(house.query(COUNTS))
    house.post("clock", {"now": now.strftime("%Y-%m-%dT%H:%M:%SZ")})
    night = house.run(
        *("run", "--json", "--now", now.strftime("%Y-%m-%dT%H:%M:%SZ")),
        *("--vendor", vendor, "--vendor", other),
        **changed,
    )
    assert night.returncode == 1, night.stderr
    told = json.loads(night.stdout)
    assert not told["complete"]
    errors = {one["vendor"]: one["errors"] for one in told["loaded"]}
    said = errors.pop(vendor)
    assert any(expected in error for error in said), said
    assert errors == {other: []}
    after = dict(house.query(COUNTS))
    assert all(after[name] >= before[name] for name in VENDORS)
    outcome = {one["vendor"]: one for one in told["loaded"]}
    return dict(outcome[vendor])


SECRETS = {
    "zoom": "CLIENT_SECRET",
    "voximplant": "KEY_ID",
    "evovoice": "PASSWORD",
    "twin": "PASSWORD",
    "whippy": "API_KEY",
}


@pytest.mark.parametrize("vendor", FEW)
def test_a_wrong_credential_is_told_and_stops_its_vendor_only(
    house: House, nights: Iterator[datetime], vendor: str
) -> None:
    name = f"CALLHOUSE__SOURCES__{vendor.upper()}__ACCOUNTS__MAIN__{SECRETS[vendor]}"
    wrong = {name: "canary-wrong-secret"}
    outcome = broken_night(house, next(nights), vendor, "credentials", **wrong)
    assert outcome["windows"] == 0
    assert outcome["requests"] <= 4, "nobody asks on with a wrong credential"


def test_an_unreachable_host_is_told(house: House, nights: Iterator[datetime]) -> None:
    away = {
        "CALLHOUSE__SOURCES__WHIPPY__BASE_URL": "http://127.0.0.1:9/v1",
        "CALLHOUSE__SOURCES__WHIPPY__PATIENCE_SECONDS": "3",
    }
    broken_night(
        house, next(nights), "whippy", "127.0.0.1:9) cannot be reached", **away
    )


@pytest.mark.parametrize(
    ("vendor", "kind", "expected"),
    [
        ("twin", "html", "a web page or a redirect"),
        pytest.param(
            "zoom", "redirect", "a web page or a redirect", marks=pytest.mark.soak
        ),
        pytest.param("voximplant", "error200", "voximplant", marks=pytest.mark.soak),
        ("whippy", "error200", "sent 'errors' beside its answer"),
        pytest.param("evovoice", "error200", "evovoice", marks=pytest.mark.soak),
        ("zoom", "missing_key", "answered without 'voice_calls'"),
        ("twin", "renamed_key", "answered without 'items'"),
        pytest.param(
            "whippy", "null_records", "'data' in another shape", marks=pytest.mark.soak
        ),
    ],
)
def test_an_answer_that_is_no_page_is_told_and_is_never_an_empty_page(
    house: House, nights: Iterator[datetime], vendor: str, kind: str, expected: str
) -> None:
    house.post("faults", {"vendor": vendor, "kind": kind, "times": ATTEMPTS})
    outcome = broken_night(house, next(nights), vendor, expected)
    assert outcome["windows"] < outcome["planned"]


@pytest.mark.parametrize("vendor", FEW)
def test_a_malformed_record_is_kept_aside_and_the_rest_of_its_page_loads(
    house: House, nights: Iterator[datetime], vendor: str
) -> None:
    house.post("faults", {"vendor": vendor, "kind": "malformed_record", "times": 1})
    now = next(nights)
    assert house.night(now, "--vendor", vendor).returncode == 1, "it is new"
    rows = house.query(
        "select reason, payload from ops.quarantine "
        f"where vendor = '{vendor}' order by fetched_at desc limit 1"
    )
    assert "missing" in rows[0][0]
    assert rows[0][1].startswith("{")


def test_a_call_from_the_far_future_stops_nothing(
    house: House, nights: Iterator[datetime]
) -> None:
    fault = {"vendor": "zoom", "kind": "extra_record_far_future", "times": 99}
    house.post("faults", fault)
    assert house.night(next(nights), "--vendor", "zoom").returncode == 1
    (latest,) = house.query("select max(started_at) from fact_calls")[0]
    assert latest < NOW + timedelta(days=30)
    reasons = house.query("select reason from ops.quarantine where vendor = 'zoom'")
    assert any("not a time a call had" in reason for (reason,) in reasons), reasons


def test_passing_errors_are_absorbed(house: House, nights: Iterator[datetime]) -> None:
    for vendor in VENDORS:
        soon = {"Retry-After": "0"}
        for status in (429, 503):
            fault = {"vendor": vendor, "kind": "status", "status": status, "times": 1}
            house.post("faults", {**fault, "headers": soon})
    house.post("faults", {"vendor": "zoom", "kind": "expire_token", "times": 1})
    house.post("faults", {"vendor": "twin", "kind": "expire_token", "times": 1})
    night = house.night(next(nights), "--json")
    assert night.returncode == 0, night.stderr
    assert all(one["retries"] >= 2 for one in json.loads(night.stdout)["loaded"])


@pytest.mark.parametrize("vendor", ["zoom", "twin"])
def test_a_sign_in_that_is_down_is_told_and_stops_its_vendor_only(
    house: House, nights: Iterator[datetime], vendor: str
) -> None:
    path = {"zoom": "/oauth/", "twin": "/auth/"}[vendor]
    down = {"kind": "status", "status": 503, "headers": {"Retry-After": "0"}}
    house.post("faults", {"vendor": vendor, "path": path, "times": 99, **down})
    outcome = broken_night(house, next(nights), vendor, "cannot sign in")
    assert (outcome["windows"], outcome["requests"]) == (0, 0)


def test_a_page_token_that_ends_is_absorbed(
    house: House, nights: Iterator[datetime]
) -> None:
    house.post("faults", {"vendor": "zoom", "kind": "expire_page_token", "times": 2})
    now = next(nights).strftime("%Y-%m-%dT%H:%M:%SZ")
    house.post("clock", {"now": now})
    small = {"CALLHOUSE__SOURCES__ZOOM__PAGE_SIZE": "10"}
    night = house.run("run", "--now", now, "--vendor", "zoom", **small)
    assert night.returncode == 0, night.stderr


def test_a_second_run_says_who_is_running_and_leaves(
    house: House, nights: Iterator[datetime]
) -> None:
    house.post(
        "faults", {"vendor": "zoom", "kind": "slow", "seconds": PATIENCE, "times": 1}
    )
    now = next(nights).strftime("%Y-%m-%dT%H:%M:%SZ")
    house.post("clock", {"now": now})
    first = house.start("run", "--now", now)
    assert first.stderr is not None
    for _ in range(2):  # where it works, and then how far it is
        next(first.stderr)
    second = house.run("run", "--now", now)
    house.disarm()
    _, said = first.communicate(timeout=PATIENCE)
    assert second.returncode == 2
    assert f"a run is already going on (process {first.pid}" in second.stderr
    assert first.returncode == 0, said


def test_half_a_configuration_is_one_clear_error(house: House) -> None:
    key = "CALLHOUSE__SOURCES__ZOOM__ACCOUNTS__MAIN__CLIENT_SECRET"
    night = house.run("run", **{key: ""})
    assert night.returncode == 2
    assert "zoom is half configured: account 'main' lacks client_secret" in night.stderr
    assert len(night.stderr.splitlines()) == 1


def test_a_misspelt_key_is_refused_with_the_nearest(house: House) -> None:
    night = house.run("run", CALLHOUSE__SOURCES__ZOOM__PAGE_SISE="5")
    assert night.returncode == 2
    assert "did you mean 'page_size'?" in night.stderr


def test_invented_calls_are_never_mixed_with_real_ones(house: House) -> None:
    bare = {name: "" for name in house.environment if "ACCOUNTS" in name}
    night = house.run("run", "--sandbox", **bare)
    assert night.returncode == 2
    assert (
        "holds calls of the vendors and this run would add calls of the sandbox"
        in night.stderr
    )


def test_a_clock_that_went_back_is_told(house: House) -> None:
    night = house.run("run", "--now", "2026-11-16T03:00:00Z")
    assert night.returncode == 1
    assert "the clock says 2026-11-16 03:00:00Z" in night.stderr


def test_no_secret_and_no_number_is_in_what_a_failing_run_says(
    house: House, nights: Iterator[datetime]
) -> None:
    for vendor in VENDORS:
        fault = {"vendor": vendor, "kind": "error200", "times": ATTEMPTS}
        house.post("faults", fault)
    now = next(nights).strftime("%Y-%m-%dT%H:%M:%SZ")
    night = house.run_apart("run", "--now", now, RUNTIME__LOG_LEVEL="DEBUG")
    assert night.returncode == 1
    secrets = [
        value
        for name, value in house.environment.items()
        if "ACCOUNTS" in name and not name.endswith(("EMAIL", "USERNAME"))
    ]
    told = night.stdout + night.stderr
    assert not [secret for secret in secrets if secret in told]
    journal = (house.folder / "warehouse" / "runs.jsonl").read_text()
    assert not [secret for secret in secrets if secret in journal]
    for piece in ("+1555", "+1303555", "+44207946", "+7000000"):
        assert piece not in told + journal

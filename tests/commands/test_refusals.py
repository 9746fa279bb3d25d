"""Bad input: one sentence says what, where and what to do; others are unharmed."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest
from conftest import TABLES, VENDORS, House, open_house
from patience import PATIENCE
from sandbox_control import stamp

from pipelines.extract.client import ATTEMPTS
from pipelines.planning.windows import read_time

NOW = read_time("2026-11-17T03:00:00Z")
SOON = {"status": 503, "headers": {"Retry-After": "0"}}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a house with two days of calls, complete."""
    folder = tmp_path_factory.mktemp("refusals")
    with open_house(folder, NOW, days=2, volume=15) as house:
        night = house.night(NOW)
        assert night.returncode == 0, night.stderr
        yield house


@pytest.fixture
def nights(house: House) -> Iterator[Iterator[datetime]]:
    """Give ever later nights, and leave no fault behind."""

    def later() -> Iterator[datetime]:
        begun = [
            one
            for vendor in VENDORS
            for (one,) in raw(house, vendor, "select max(started_at) from load_windows")
        ]
        last = max(begun)
        for number in range(1, 1000):
            yield last + number * timedelta(hours=6)

    yield later()
    house.disarm()


def raw(house: House, vendor: str, sql: str) -> list[tuple[Any, ...]]:
    path = house.folder / "warehouse" / "raw" / f"{vendor}.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'; set schema = 'raw'")
        return connection.execute(sql).fetchall()


def stored(house: House) -> dict[str, tuple[int, int]]:
    """Return how many calls each vendor has, and how many of them are gone."""
    counts = "count(distinct record_id), count(*) filter (payload is null)"
    return {
        vendor: raw(house, vendor, f"select {counts} from {TABLES[vendor]}")[0]
        for vendor in VENDORS
    }


def broken_night(
    house: House,
    now: datetime,
    expected: Mapping[str, str],
    *healthy: str,
    command: str = "load",
    **changed: str,
) -> dict[str, dict[str, Any]]:
    """Load in a night in which vendors fail, each as it is ``expected`` to be told.

    The others load, and nobody's calls are gone. Returns what is told by vendor.
    """
    before = stored(house)
    house.post("clock", {"now": stamp(now)})
    chosen = [word for one in (*expected, *healthy) for word in ("--vendor", one)]
    night = house.run(command, "--json", "--now", stamp(now), *chosen, **changed)
    assert night.returncode == 1, night.stderr
    told = json.loads(night.stdout)
    assert not told["complete"]
    outcomes = {one["vendor"]: one for one in told["loaded"]}
    for vendor, sentence in expected.items():
        said = outcomes[vendor]["errors"]
        assert any(sentence in error for error in said), (vendor, said)
    assert [outcomes[one]["errors"] for one in healthy] == [[] for _ in healthy]
    assert all(outcomes[one]["windows"] > 0 for one in healthy)
    for vendor, (calls, gone) in stored(house).items():
        assert (calls >= before[vendor][0], gone) == (True, before[vendor][1])
    return outcomes


SECRETS = {
    "zoom": "CLIENT_SECRET",
    "voximplant": "KEY_ID",
    "evovoice": "PASSWORD",
    "twin": "PASSWORD",
    "whippy": "API_KEY",
}


@pytest.mark.parametrize(
    "healthy", ["zoom", pytest.param("whippy", marks=pytest.mark.soak)]
)
def test_a_wrong_credential_is_told_and_stops_its_vendor_only(
    house: House, nights: Iterator[datetime], healthy: str
) -> None:
    facts = "select vendor, count(*) from fact_calls group by 1"
    before = dict(house.query(facts))
    wrong = [one for one in VENDORS if one != healthy]
    outcomes = broken_night(
        house,
        next(nights),
        dict.fromkeys(wrong, "credentials"),
        healthy,
        command="run",
        **{
            f"CALLHOUSE__SOURCES__{one.upper()}__ACCOUNTS__MAIN__{SECRETS[one]}": (
                "canary-wrong-secret"
            )
            for one in wrong
        },
    )
    for vendor in wrong:
        assert outcomes[vendor]["windows"] == 0
        assert outcomes[vendor]["requests"] <= 4, "nobody asks on with a wrong one"
    after = dict(house.query(facts))
    assert all(after[name] >= before[name] for name in VENDORS)


def test_vendors_that_cannot_be_asked_are_told_and_stop_themselves_only(
    house: House, nights: Iterator[datetime]
) -> None:
    for vendor, path in (("zoom", "/oauth/"), ("twin", "/auth/")):
        down = {"vendor": vendor, "path": path, "kind": "status", "times": 99}
        house.post("faults", {**down, **SOON})
    outcomes = broken_night(
        house,
        next(nights),
        {
            "whippy": "127.0.0.1:9) cannot be reached",
            "zoom": "cannot sign in",
            "twin": "cannot sign in",
        },
        "evovoice",
        CALLHOUSE__SOURCES__WHIPPY__BASE_URL="http://127.0.0.1:9/v1",
        CALLHOUSE__SOURCES__WHIPPY__PATIENCE_SECONDS="3",
    )
    for vendor in ("zoom", "twin"):
        one = outcomes[vendor]
        assert (one["windows"], one["requests"]) == (0, 0)


NO_PAGES = [
    {
        "twin": ("html", "a web page or a redirect"),
        "whippy": ("error200", "sent 'errors' beside its answer"),
        "zoom": ("missing_key", "answered without 'voice_calls'"),
    },
    {
        "twin": ("renamed_key", "answered without 'items'"),
        "whippy": ("null_records", "'data' in another shape"),
        "zoom": ("redirect", "a web page or a redirect"),
        "voximplant": ("error200", "voximplant"),
        "evovoice": ("error200", "evovoice"),
    },
]


@pytest.mark.parametrize(
    "night",
    [
        pytest.param(NO_PAGES[0], id="first"),
        pytest.param(NO_PAGES[1], id="second", marks=pytest.mark.soak),
    ],
)
def test_an_answer_that_is_no_page_is_told_and_is_never_an_empty_page(
    house: House, nights: Iterator[datetime], night: dict[str, tuple[str, str]]
) -> None:
    for vendor, (kind, _) in night.items():
        house.post("faults", {"vendor": vendor, "kind": kind, "times": ATTEMPTS})
    expected = {vendor: sentence for vendor, (_, sentence) in night.items()}
    outcomes = broken_night(house, next(nights), expected)
    for one in outcomes.values():
        assert one["windows"] < one["planned"]


@pytest.mark.parametrize(
    "vendors",
    [
        ("twin", "whippy"),
        pytest.param(("evovoice", "voximplant", "zoom"), marks=pytest.mark.soak),
    ],
)
def test_a_malformed_record_is_kept_aside_and_the_rest_of_its_page_loads(
    house: House, nights: Iterator[datetime], vendors: tuple[str, ...]
) -> None:
    for vendor in vendors:
        house.post("faults", {"vendor": vendor, "kind": "malformed_record", "times": 1})
    chosen = [word for one in vendors for word in ("--vendor", one)]
    assert house.night(next(nights), *chosen).returncode == 1, "it is new"
    for vendor in vendors:
        ((reason, payload),) = house.query(
            "select reason, payload from ops.quarantine "
            f"where vendor = '{vendor}' order by fetched_at desc limit 1"
        )
        assert "missing" in reason
        assert payload.startswith("{")


@pytest.mark.soak
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


def test_a_page_token_that_ends_is_absorbed(
    house: House, nights: Iterator[datetime]
) -> None:
    house.post("faults", {"vendor": "zoom", "kind": "expire_page_token", "times": 2})
    now = stamp(next(nights))
    house.post("clock", {"now": now})
    small = {"CALLHOUSE__SOURCES__ZOOM__PAGE_SIZE": "10"}
    loaded = house.run("load", "--now", now, "--vendor", "zoom", **small)
    assert loaded.returncode == 0, loaded.stderr


def test_a_second_run_says_who_is_running_and_leaves(
    house: House, nights: Iterator[datetime]
) -> None:
    house.post(
        "faults", {"vendor": "zoom", "kind": "slow", "seconds": PATIENCE, "times": 1}
    )
    now = stamp(next(nights))
    house.post("clock", {"now": now})
    first = house.start("run", "--now", now, "--vendor", "zoom")
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
    night = house.run("load", "--now", "2026-11-16T03:00:00Z", "--vendor", "zoom")
    assert night.returncode == 1
    assert "the clock says 2026-11-16 03:0" in night.stderr  # it runs meanwhile


def test_no_secret_and_no_number_is_in_what_a_failing_run_says(
    house: House, nights: Iterator[datetime]
) -> None:
    for vendor in VENDORS:
        fault = {"vendor": vendor, "kind": "error200", "times": ATTEMPTS}
        house.post("faults", fault)
    night = house.run_apart(
        "run", "--now", stamp(next(nights)), RUNTIME__LOG_LEVEL="DEBUG"
    )
    assert night.returncode == 1
    secrets = [
        value
        for name, value in house.environment.items()
        if "ACCOUNTS" in name and not name.endswith(("EMAIL", "USERNAME"))
    ]
    assert len(secrets) >= len(VENDORS)
    told = night.stdout + night.stderr
    assert not [secret for secret in secrets if secret in told]
    journal = (house.folder / "warehouse" / "runs.jsonl").read_text()
    assert not [secret for secret in secrets if secret in journal]
    for piece in ("+1555", "+1303555", "+44207946", "+7000000"):
        assert piece not in told + journal


@pytest.mark.soak
def test_passing_errors_are_absorbed_and_whatever_failed_before_is_made_good(
    house: House, nights: Iterator[datetime]
) -> None:
    """The last night of the house: all that was left open is loaded, and built."""
    for vendor in VENDORS:
        for status in (429, 503):
            fault = {"vendor": vendor, "kind": "status", **SOON, "times": 1}
            house.post("faults", {**fault, "status": status})
    house.post("faults", {"vendor": "zoom", "kind": "expire_token", "times": 1})
    house.post("faults", {"vendor": "twin", "kind": "expire_token", "times": 1})
    night = house.night(next(nights), "--json")
    assert night.returncode == 0, night.stderr
    loaded = json.loads(night.stdout)["loaded"]
    assert {one["vendor"] for one in loaded if one["retries"] >= 2} == {*VENDORS}

import grp
import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from pipelines.config.loader import ALIAS, read_config
from pipelines.config.rate_cards import DAY
from pipelines.config.toml_file import ConfigError
from pipelines.load.work_plan import backfill_work
from pipelines.planning.planner import BackfillRequest
from pipelines.sources import vendors

ZOOM = {
    "CALLHOUSE__SOURCES__ZOOM__ACCOUNTS__MAIN__ACCOUNT_ID": "a",
    "CALLHOUSE__SOURCES__ZOOM__ACCOUNTS__MAIN__CLIENT_ID": "b",
    "CALLHOUSE__SOURCES__ZOOM__ACCOUNTS__MAIN__CLIENT_SECRET": "canary-secret",
}
SECRETS = """
[sources.whippy.accounts.main]
api_key = "canary-from-file"
[sources.whippy.accounts.second]
api_key = "canary-other"
currency = "EUR"
"""


def refusal(folder: Path, environment: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as error:
        read_config(folder, environment)
    return str(error.value)


def write(folder: Path, name: str, text: str, mode: int = 0o600) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(mode)


def test_without_anything_no_vendor_is_configured(tmp_path: Path) -> None:
    config = read_config(tmp_path, {})
    assert config.vendors == ()
    assert config.warehouse.root == Path("warehouse")


def test_the_committed_configuration_holds_the_defaults() -> None:
    committed = read_config(Path("config"), {})
    assert committed == read_config(Path("nowhere"), {})


@pytest.mark.parametrize(
    ("name", "character"),
    [
        ("it's", '"\'"'),
        ("50%", "'%'"),
        ("what?", "'?'"),
        ("vendor=all", "'='"),
        ("a\nb", r"'\n'"),
        ("a\x7fb", r"'\x7f'"),
        ("\udcff", "UTF-8"),
    ],
)
def test_a_folder_into_which_dlt_cannot_load_is_refused_with_the_character(
    tmp_path: Path, name: str, character: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = refusal(tmp_path, {"CALLHOUSE__WAREHOUSE": str(tmp_path / name)})
    assert "CALLHOUSE__WAREHOUSE: " in sentence
    assert character in sentence or "control character" in sentence
    assert "\n" not in sentence
    # A relative one lies where the command is run.
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    assert character in refusal(tmp_path, {})


@pytest.mark.parametrize(
    "name", ["a b", 'a "b"', "a;b", "a#b", "äß日", "a*[b]", "md:a"]
)
def test_any_other_folder_is_used(tmp_path: Path, name: str) -> None:
    for given in (str(tmp_path / name), name):
        found = read_config(tmp_path, {"CALLHOUSE__WAREHOUSE": given}).warehouse.root
        assert found.absolute() == Path(given).absolute()
        assert not str(found).startswith("md:")


def test_the_folder_of_a_home_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    given = {"CALLHOUSE__WAREHOUSE": "~/calls"}
    assert read_config(tmp_path, given).warehouse.root == tmp_path / "calls"


def test_credentials_come_from_the_environment(tmp_path: Path) -> None:
    (vendor,) = read_config(tmp_path, ZOOM).vendors
    assert vendor.name == "zoom"
    assert vendor.accounts[0].settings.client_secret == "canary-secret"


def test_a_vendor_has_the_accounts_of_its_file_and_the_environment_wins(
    tmp_path: Path,
) -> None:
    write(tmp_path, "secrets.toml", SECRETS)
    key = "CALLHOUSE__SOURCES__WHIPPY__ACCOUNTS__MAIN__API_KEY"
    (vendor,) = read_config(tmp_path, {key: "canary-from-environment"}).vendors
    assert [(a.alias, a.currency) for a in vendor.accounts] == [
        ("main", None),
        ("second", "EUR"),
    ]
    assert vendor.accounts[0].settings.api_key == "canary-from-environment"


def test_a_half_configured_vendor_names_every_missing_key(tmp_path: Path) -> None:
    half = {name: value for name, value in ZOOM.items() if name.endswith("CLIENT_ID")}
    sentence = refusal(tmp_path, half)
    assert "zoom is half configured" in sentence
    assert "account_id, client_secret" in sentence
    assert "CALLHOUSE__SOURCES__ZOOM__ACCOUNTS__MAIN__CLIENT_SECRET" in sentence


def test_duckdb_can_use_every_zone_that_is_accepted(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        names = connection.execute("select name from pg_timezone_names()").fetchall()
        zones = [name for (name,) in names if name.count("/") != 1]
        zones += ["America/Vancouver", "Europe/Chisinau", "US/Pacific-New"]
        for zone in zones:
            given = {"CALLHOUSE__REPORTING_TIME_ZONE": zone}
            assert read_config(tmp_path, given).reporting_time_zone == zone
        (dated,) = connection.execute(
            "select count((moment at time zone name)::date)"
            " from pg_timezone_names() cross join (select unnest(["
            " timestamptz '2024-10-27 00:30:00Z', timestamptz '2026-11-20 07:30:00Z'"
            "]) as moment)"
        ).fetchall()
    assert dated == (2 * len(names),)


def test_no_vendor_reads_a_credential_meant_for_another(tmp_path: Path) -> None:
    shared = {
        "CLIENT_ID": "x",
        "API_KEY": "x",
        "PASSWORD": "x",
        "SOURCES__WHIPPY__API_KEY": "x",
        "CALLHOUSE__SOURCES__EVOVOICE__PASSWORD": "p",
        "CALLHOUSE__SOURCES__EVOVOICE__USERNAME": "u",
        "CALLHOUSE__SOURCES__EVOVOICE__ACCOUNT_IDS": "1",
    }
    (vendor,) = read_config(tmp_path, shared).vendors
    assert vendor.name == "evovoice"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[sources.zoom]\npage_sise = 5\n", "did you mean 'page_size'?"),
        ("[sources.zom]\npage_size = 5\n", "did you mean 'zoom'?"),
        ("[callhous]\nstart = 2026-01-01\n", "did you mean 'callhouse'?"),
        ("[callhouse]\nwarehous = 'x'\n", "did you mean 'warehouse'?"),
        ("[sources.zoom]\npage_size = 'many'\n", "Expected `int`"),
        ("[sources.zoom]\ntime_zone = 'Berlin'\n", "is not an IANA time zone"),
        ("[sources.zoom]\nregion = 'DEU'\n", "did you mean 'DE'?"),
        ("[sources.zoom]\ndecimal_separator = ';'\n", "';' is not a decimal separator"),
        ("[sources.zoom]\ndecimal_separator = ''\n", "write '.' or ','"),
        ("[sources.zoom]\nconcurrency = 0\n", "concurrency must be more than 0"),
        ("[sources.zoom]\ndaily_requests = -1\n", "daily_requests must be 0 or more"),
        ("[sources.zoom]\nrequests_per_second = nan\n", "must be more than 0"),
        ("[callhouse]\nreporting_time_zone = 'Mars'\n", "'Mars' is not a time zone"),
        (
            "[callhouse]\nreporting_time_zone = 'localtime'\n",
            "'localtime' is not a time",
        ),
        ("[sources.zoom]\ntime_zone = 'localtime'\n", "is not an IANA time zone"),
        ("[callhouse\n", "is not valid TOML"),
        *(
            (f'[sources.whippy.accounts."{name}"]\napi_key = "k"\n', "be called")
            for name in ("a:b", ":", "", "a b", "a/b", "a'b", "é\u202e", "a\u0301")
        ),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_file(
    tmp_path: Path, text: str, expected: str
) -> None:
    write(tmp_path, "config.toml", text)
    sentence = refusal(tmp_path, {})
    assert expected in sentence
    assert "config.toml" in sentence


names = st.from_regex(ALIAS, fullmatch=True)
keys = st.tuples(st.sampled_from(vendors()), names, st.text(":abé1", min_size=1))


@for_any(keys, keys)
def test_no_two_calls_have_one_key(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    """Whatever ids a vendor sends, a key is read back in one way."""
    assert tuple(":".join(one).split(":", 2)) == one
    assert (":".join(one) == ":".join(other)) is (one == other)


@pytest.mark.parametrize("name", ["main", "eu-1", "a.b_c", "Zürich2"])
def test_an_account_is_called_what_its_operator_likes(
    tmp_path: Path, name: str
) -> None:
    text = f'[sources.whippy.accounts."{name}"]\napi_key = "k"\n'
    write(tmp_path, "secrets.toml", text)
    (vendor,) = read_config(tmp_path, {}).vendors
    assert [one.alias for one in vendor.accounts] == [name]


def test_secrets_that_others_can_read_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "secrets.toml", SECRETS, mode=0o644)
    assert f"chmod 600 {tmp_path / 'secrets.toml'}" in refusal(tmp_path, {})


def test_a_secret_is_in_no_representation_and_in_no_error(tmp_path: Path) -> None:
    assert "canary-secret" not in repr(read_config(tmp_path, ZOOM))
    wrong = {**ZOOM, "CALLHOUSE__SOURCES__ZOOM__PAGE_SIZE": "canary-secret"}
    assert "canary-secret" not in refusal(tmp_path, wrong)


RATE_CARD = """
[[rate_card]]
vendor = "whippy"
account = "main"
direction = "inbound"
component = "ai_platform"
unit = "minute"
increment = 60
unit_price = 0.07
currency = "USD"
valid_from = 2026-01-01
"""
FITS = "unit_price = '999999999999.999999'"
"""The most that DECIMAL(18, 6) can have."""
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
EUROS = RATE_CARD.replace("USD", "EUR").replace("01-01", "03-01")


def test_a_rate_card_keeps_its_decimals(tmp_path: Path) -> None:
    write(tmp_path, "rate_cards.toml", RATE_CARD)
    assert read_config(tmp_path, {}).rate_cards[0].unit_price == Decimal("0.07")


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("unit_price", "unit_prize", "unit_prize: there is no 'unit_prize' here; did"),
        ("rate_card", "rate_cards", "there is no 'rate_cards' here; did you mean"),
        ('"whippy"', '"whipy"', "vendor: there is no 'whipy' here; did you mean 'whi"),
        ('"main"', '"mian"', "account: there is no 'mian' here; did you mean 'main'?"),
        ('"inbound"', '"in"', "direction: there is no 'in' here; known: inbound, outb"),
        ('"minute"', '"minutes"', "unit: there is no 'minutes' here; did you mean 'mi"),
        (
            '"ai_platform"',
            '"ai"',
            "component: there is no 'ai' here; did you mean",
        ),
        ('"USD"', '"usd"', "currency: 'usd' is not an ISO 4217 code"),
        ("= 60", "= 0", "increment: must be more than 0 seconds"),
        ("0.07", "-0.07", "unit_price: must be 0 or more"),
        ("0.07", "nan", "unit_price: must be 0 or more"),
        ("0.07", "0.0700001", "unit_price: has more decimals than 0.000001"),
        ("= 60", "= 60\nallowance = -500", "allowance: must be 0 or more"),
        ("= 60", "= 60\nbase_cost = 0.0000009", "base_cost: has more decimals than"),
        ("= 60", "= 60\noverride = true", "override: there is no 'override' here; did"),
        (RATE_CARD, RATE_CARD * 2, "rate_card 2 valid_from: rate_card 1 prices the s"),
        ("= 60", '= 60\nhandled_by = "bot"', "handled_by: there is no 'bot' here; kno"),
        (
            "= 60",
            '= 60\nbasis = "legs"',
            "basis: there is no 'legs' here; did you mean",
        ),
        ("= 60", "= 60\ninitial = -20", "initial: must be 0 or more"),
        (
            "= 60",
            "= 60\nconnection_fee = 0.0000009",
            "connection_fee: has more decimal",
        ),
        ("= 60", '= 60\nanswered_only = "yes"', "Expected `bool`, got `str`"),
        (
            RATE_CARD,
            RATE_CARD + EUROS.replace("ai_platform", "ai_llm"),
            "rate_card 2 currency: rate_card 1 has USD for the same calls on 2026-03",
        ),
        ("= 60", "= 60\nvalid_to = 2025-01-01", "valid_to: lies before valid_from"),
    ],
)
def test_a_rate_card_that_could_match_no_call_is_refused(
    tmp_path: Path, right: str, wrong: str, expected: str
) -> None:
    write(tmp_path, "secrets.toml", SECRETS)
    write(tmp_path, "rate_cards.toml", RATE_CARD)
    assert read_config(tmp_path, {}).rate_cards
    write(tmp_path, "rate_cards.toml", RATE_CARD.replace(right, wrong))
    sentence = refusal(tmp_path, {})
    assert expected in sentence
    assert "rate_cards.toml" in sentence


def test_an_account_whose_card_has_an_allowance_is_read_by_whole_months(
    tmp_path: Path,
) -> None:
    write(tmp_path, "secrets.toml", SECRETS)
    request = BackfillRequest(datetime(2026, 3, 9, tzinfo=UTC), APRIL)
    for allowance, first, notes in (("", 9, 0), ("allowance = 500", 1, 1)):
        write(tmp_path, "rate_cards.toml", f"{RATE_CARD}{allowance}\n")
        (whippy,) = (
            one for one in read_config(tmp_path, {}).vendors if one.name == "whippy"
        )
        work = backfill_work(whippy, request, APRIL + timedelta(days=9), [])
        assert min(window.start.day for _, window in work.windows) == first
        assert len(work.warnings) == notes


def test_a_card_of_another_component_account_or_day_is_no_twin(tmp_path: Path) -> None:
    write(tmp_path, "secrets.toml", SECRETS)
    others = [
        RATE_CARD.replace('"ai_platform"', '"ai_llm"'),
        RATE_CARD.replace('"inbound"', '"outbound"'),
        RATE_CARD.replace("01-01", "01-02"),
    ]
    write(tmp_path, "rate_cards.toml", RATE_CARD + "".join(others))
    cards = read_config(tmp_path, {}).rate_cards
    assert len(cards) == 4
    assert (cards[0].allowance, cards[0].minimum, cards[0].base_cost) == (0, 0, 0)
    assert (cards[0].valid_to, cards[0].overrides) == (None, False)
    for number, other in enumerate(others, start=2):
        parts = [RATE_CARD, *others, other]
        write(tmp_path, "rate_cards.toml", "".join(parts))
        told = f"rate_card 5 valid_from: rate_card {number} prices the same from 2026"
        assert told in refusal(tmp_path, {})


def test_of_cards_of_two_currencies_the_later_one_is_named(tmp_path: Path) -> None:
    """In the order of the file, not of their days; the newest card of a part counts."""
    write(tmp_path, "secrets.toml", SECRETS)
    llm = RATE_CARD.replace('"ai_platform"', '"ai_llm"')
    older = llm.replace("01-01", "01-02").replace("2026", "2025")
    write(tmp_path, "rate_cards.toml", EUROS + RATE_CARD + llm + older)
    told = "rate_card 3 currency: rate_card 1 has EUR for the same calls on 2026-03-01"
    assert told in refusal(tmp_path, {})
    # The newest one that is valid on a day counts, wherever it stands in the file.
    write(tmp_path, "rate_cards.toml", EUROS + RATE_CARD + llm.replace("USD", "EUR"))
    told = "rate_card 3 currency: rate_card 2 has USD for the same calls on 2026-01-01"
    assert told in refusal(tmp_path, {})
    last = EUROS + "valid_to = 9999-12-31\n"
    write(tmp_path, "rate_cards.toml", last + RATE_CARD)
    assert len(read_config(tmp_path, {}).rate_cards) == 2


def test_cards_of_one_call_have_one_currency_also_when_one_of_them_has_ended(
    tmp_path: Path,
) -> None:
    write(tmp_path, "secrets.toml", SECRETS)
    other = EUROS.replace("ai_platform", "ai_llm")
    march = EUROS + "valid_to = 2026-03-31\n"
    write(tmp_path, "rate_cards.toml", RATE_CARD + march + other)
    assert "has USD for the same calls on 2026-04-01" in refusal(tmp_path, {})
    outbound = other.replace("inbound", "outbound")
    for fitting in (outbound, march + other + "valid_to = 2026-03-31\n"):
        write(tmp_path, "rate_cards.toml", RATE_CARD + fitting)
        assert read_config(tmp_path, {}).rate_cards
    until = RATE_CARD + "valid_to = 2026-02-28\n"
    write(tmp_path, "rate_cards.toml", until + other)
    assert read_config(tmp_path, {}).rate_cards
    write(tmp_path, "rate_cards.toml", until.replace("02-28", "03-01") + other)
    assert "on 2026-03-01" in refusal(tmp_path, {})


def test_a_rate_card_of_one_day_and_amounts_at_their_bounds_are_read(
    tmp_path: Path,
) -> None:
    write(tmp_path, "secrets.toml", SECRETS)
    day = RATE_CARD.replace("0.07", "0") + "valid_to = 2026-01-01\n"
    write(tmp_path, "rate_cards.toml", day)
    (card,) = read_config(tmp_path, {}).rate_cards
    first = date(2026, 1, 1)
    days = [first - DAY, first, first + DAY]
    assert [card.is_valid(one) for one in days] == [False, True, False]
    write(tmp_path, "rate_cards.toml", day.replace("unit_price = 0", FITS))
    (card,) = read_config(tmp_path, {}).rate_cards
    assert card.unit_price == Decimal("999999999999.999999")
    for wrong in ("= 1000000000000", "= inf", "= -0.000001"):
        write(
            tmp_path,
            "rate_cards.toml",
            day.replace("unit_price = 0", f"unit_price {wrong}"),
        )
        assert "unit_price: must be 0 or more" in refusal(tmp_path, {})


@pytest.mark.parametrize(
    "later",
    [
        EUROS,  # the same component in euros from March on
        EUROS.replace("ai_platform", "ai_llm").replace("inbound", "outbound"),
        EUROS.replace("ai_platform", "ai_llm") + EUROS,
        # people's calls are in euros, and before the general card
        EUROS + 'handled_by = "human"\n',
    ],
)
def test_cards_may_change_their_currency_where_no_call_has_two(
    tmp_path: Path, later: str
) -> None:
    write(tmp_path, "rate_cards.toml", RATE_CARD + later)
    assert len(read_config(tmp_path, {}).rate_cards) > 1


def test_the_example_of_a_rate_card_is_one(tmp_path: Path) -> None:
    lines = Path("config/rate_cards.example.toml").read_text().splitlines()
    start = lines.index("# [[rate_card]]")
    text = "\n".join(
        line.removeprefix("# ") for line in lines[start:] if not line.startswith("#  ")
    )
    write(tmp_path, "rate_cards.toml", text)
    (card,) = read_config(tmp_path, {}).rate_cards
    assert card.unit_price == Decimal("0.07")


ODD_ADDRESSES = [
    *["", " ", "api.example", "//api.example", "https:", "https://", "https:///v1"],
    *["https:api.example", "https:/api.example", "ftp://api.example", "file:///etc"],
    *["https://api.example\\n", " https://api.example", "https://api.example/a b"],
    *["https://api.example:99999", "https://api.example:0", "https://api.example:"],
    *["https://api.example:x", "https://api.example:-1", "http://[::1", "https://[]"],
    *["https://[::1]x", "https://[1.2.3.4]", "https://1.2.3", "https://1.2.3.999"],
    *[
        "https://2130706433",
        "https://0x7f.1",
        "https://a..example",
        "https://-a.example",
    ],
    *[
        "https://m\\u00fcnchen.example",
        "https://\\u0430pi.example",
        "https://api%2eexample",
    ],
    *["https://user:canary-secret@api.example", "https://canary-secret@api.example"],
    *[
        "https://@api.example",
        "http://127.0.0.1@api.example",
        "https://api.example\\\\@b",
    ],
    *["https://api.example?", "https://api.example?key=canary-secret"],
    *["https://api.example#", "https://api.example/v1#x", "https://api.example/../v1"],
    *["https://api.example//v1", "http://api.example", "http://localhost.example"],
    *["http://127.0.0.1.example", "http://10.0.0.1", "http://[::ffff:10.0.0.1]"],
    *["http://0.0.0.0", "http://169.254.169.254", "javascript:x", "https://a\\u0000"],
]


@pytest.mark.parametrize("address", ODD_ADDRESSES)
@pytest.mark.parametrize(
    ("vendor", "key"), [("whippy", "base_url"), ("zoom", "token_url")]
)
def test_an_address_that_could_mean_another_host_is_refused_with_its_key(
    tmp_path: Path, vendor: str, key: str, address: str
) -> None:
    write(tmp_path, "config.toml", f'[sources.{vendor}]\n{key} = "{address}"\n')
    sentence = refusal(tmp_path, {})
    assert f"config.toml: [sources.{vendor}] {key}" in sentence
    assert sentence.isprintable()
    assert "canary-secret" not in sentence


@pytest.mark.parametrize(
    "address",
    [
        *["https://api.example", "https://api.example/v1/", "HTTPS://API.example:443"],
        *["http://localhost:8000", "http://127.0.0.1:1/v1", "http://127.9.8.7"],
        *["http://[::1]:8000", "https://[2001:db8::1]/v1", "https://10.0.0.1"],
        *["https://xn--mnchen-3ya.example", "https://a_b.example/v1.2/x"],
    ],
)
def test_an_address_of_one_host_is_taken(tmp_path: Path, address: str) -> None:
    write(tmp_path, "config.toml", f'[sources.whippy]\nbase_url = "{address}"\n')
    write(tmp_path, "secrets.toml", SECRETS)
    (vendor,) = read_config(tmp_path, {}).vendors
    assert vendor.accounts[0].settings.base_url == address


def test_a_path_cannot_move_the_host(tmp_path: Path) -> None:
    write(tmp_path, "config.toml", '[sources.whippy]\npath = "@evil.example/"\n')
    assert "[sources.whippy] path: path must begin with /" in refusal(tmp_path, {})


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", "\n{}", " {} ", "\t{}\n\n"])
def test_a_key_loses_the_line_end_that_came_with_it(
    tmp_path: Path, around: str
) -> None:
    """From a file as from the environment: `$(cat key)` and a mounted secret differ."""
    pasted = {
        name: around.format(value)
        for name, value in {
            "CALLHOUSE__SOURCES__WHIPPY__API_KEY": "canary-key",
            **ZOOM,
        }.items()
    }
    whippy, zoom = read_config(tmp_path, pasted).vendors
    assert whippy.accounts[0].settings.api_key == "canary-key"
    assert zoom.accounts[0].settings.client_secret == "canary-secret"


def test_a_password_keeps_its_blanks(tmp_path: Path) -> None:
    given = {"EMAIL": "e", "PASSWORD": " p w \n"}
    twin = {f"CALLHOUSE__SOURCES__TWIN__{key}": value for key, value in given.items()}
    (vendor,) = read_config(tmp_path, twin).vendors
    assert vendor.accounts[0].settings.password == " p w "


@pytest.mark.parametrize(
    "key", ["canary\nsecret", "canary\x00secret", "canary\x85secret", "canary\u20acs"]
)
def test_a_key_that_no_header_can_carry_is_refused_unseen(
    tmp_path: Path, key: str
) -> None:
    sentence = refusal(tmp_path, {"CALLHOUSE__SOURCES__WHIPPY__API_KEY": key})
    assert "environment: CALLHOUSE__SOURCES__WHIPPY__API_KEY: api_key has a" in sentence
    assert "canary" not in sentence


@pytest.mark.parametrize("name", ["config.toml", "secrets.toml", "."])
@pytest.mark.parametrize("mode", [0o602, 0o722, 0o777])
def test_a_configuration_that_others_can_write_is_refused(
    tmp_path: Path, name: str, mode: int
) -> None:
    folder = tmp_path / "config"
    folder.mkdir(mode=0o700)
    write(folder, "config.toml", "[sources.zoom]\npage_size = 5\n")
    write(folder, "secrets.toml", SECRETS)
    assert read_config(folder, {}).vendors
    (folder / name).chmod(mode | (0o700 if name == "." else 0))
    sentence = refusal(folder, {})
    assert "chmod" in sentence
    assert str(folder / name) in sentence


def test_a_group_of_others_is_others(tmp_path: Path) -> None:
    write(tmp_path, "config.toml", "[sources.zoom]\npage_size = 5\n", mode=0o660)
    others = next(one.gr_gid for one in grp.getgrall() if one.gr_gid != os.getegid())
    try:
        os.chown(tmp_path / "config.toml", -1, others)
    except PermissionError:
        pytest.skip("only root may give a file to another group")
    assert "can be written by others" in refusal(tmp_path, {})


def test_secrets_of_another_user_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "secrets.toml", SECRETS)
    try:
        os.chown(tmp_path / "secrets.toml", os.geteuid() + 1, -1)
    except PermissionError:
        pytest.skip("only root may give a file to another user")
    assert "secrets.toml belongs to user" in refusal(tmp_path, {})

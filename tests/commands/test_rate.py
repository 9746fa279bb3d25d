"""What days would cost under other rate cards, and that nothing is touched."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import pytest
from click.testing import Result
from raw_files import RawFiles, Record, whippy_call
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.commands.rate import rate as rated
from pipelines.commands.rate import read_cards
from pipelines.config.rate_cards import RateCard

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
DAY = timedelta(days=1)
MIDNIGHT = datetime(2026, 4, 1, tzinfo=UTC)
BEFORE = MIDNIGHT - timedelta(hours=1)
CARDS = """
[[rate_card]]
vendor = "zoom"
account = "main"
direction = "inbound"
component = "telephony"
unit = "call"
increment = 1
unit_price = 4
currency = "USD"
valid_from = 2026-01-01
overrides = true
[[rate_card]]
vendor = "whippy"
account = "main"
direction = "inbound"
component = "telephony"
unit = "minute"
increment = 60
unit_price = 0.5
base_cost = 10
currency = "USD"
valid_from = 2026-01-01
"""


def zoom(name: str, at: datetime, charge: str, direction: str = "inbound") -> Record:
    payload = {"engagement_id": name, "direction": direction, "result": "completed"}
    times = {"start_time": at.isoformat(), "total_duration": 60}
    return "main", name, at, {**payload, **times, "charge": charge}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> RawFiles:
    folder = tmp_path_factory.mktemp("rate")
    card = RateCard(
        *("whippy", "main", "inbound", "telephony", "call"),
        increment=Decimal(1),
        unit_price=Decimal("1.5"),
        currency="USD",
        valid_from=MARCH,
        base_cost=Decimal(49),
    )
    house = RawFiles(
        folder,
        accounts={"zoom": ("main",), "whippy": ("main", "other")},
        cards=(card,),
    )
    days = [zoom("a", BEFORE, "$9"), zoom("b", MIDNIGHT, "€5")]
    later = zoom("c", MIDNIGHT + DAY, "$7")
    house.load("zoom", [*days, later, zoom("d", BEFORE, "$1", "outbound")])
    house.load("whippy", [whippy_call("e", BEFORE)])
    house.load("whippy", [whippy_call("f", BEFORE, account="other")])
    house.build()
    (folder / "cards.toml").write_text(CARDS)
    return house


def rate(house: RawFiles, *words: str, card: str = "cards.toml") -> Result:
    place = {"CALLHOUSE__WAREHOUSE": str(house.folder)}
    named = ["--card", str(house.folder / card), "--config", str(house.folder)]
    return CliRunner().invoke(app, ["rate", *named, *words], env=place)


def test_the_cards_count_beside_the_real_cost(house: RawFiles) -> None:
    files = {
        path: sha256(path.read_bytes()).hexdigest()
        for path in house.folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }
    cards = read_cards(house.config, house.folder / "cards.toml")
    rows = rated(house.config, cards, MIDNIGHT.date() - DAY, MIDNIGHT.date())
    # month, vendor, account, currency, then calls, cost and base cost: real, and rated
    assert [tuple(row.values()) for row in rows] == [
        (MARCH, "whippy", "main", "USD", 1, Decimal("1.5"), 49, 1, Decimal("0.5"), 10),
        # The call that goes out has no card, so it costs what its vendor says.
        (MARCH, "zoom", "main", "USD", 2, 10, None, 2, 5, 0),
        (APRIL, "whippy", "main", "USD", 0, None, 49, 0, None, 10),
        (APRIL, "zoom", "main", "EUR", 1, 5, None, 0, None, None),
        (APRIL, "zoom", "main", "USD", 0, None, None, 1, 4, 0),
    ]
    after = {path: sha256(path.read_bytes()).hexdigest() for path in files}
    assert after == files


@pytest.mark.soak
def test_the_command_prints_the_comparison(house: RawFiles) -> None:
    (house.folder / "one.toml").write_text(CARDS[CARDS.rindex("[[") :])
    days = ("--from", "2026-03-31", "--to", "2026-03-31")
    done = rate(house, *days, "--json", card="one.toml")
    (row,) = json.loads(done.stdout)
    assert (row["vendor"], row["month"]) == ("whippy", "2026-03-01")
    assert (row["cost"], row["rated_cost"]) == ("1.500000", "0.500000")
    shown = rate(house, *days, card="one.toml")
    assert "0.500000" in shown.stdout
    assert "Nothing was changed" in shown.stderr


@pytest.mark.parametrize(
    ("words", "card", "sentence"),
    [
        ("--from 2026-04-02 --to 2026-04-01", "cards.toml", "2026-04-01; swap them"),
        ("--from 2026-04-01 --to 2026-04-01", "none.toml", "--card: there is no file"),
        ("--from 2026-04-01 --to 2026-04-01", "empty.toml", "has no [[rate_card]]"),
        ("--from 2026-04-01 --to 2026-04-01", "twin.toml", "nothing of twin is stored"),
    ],
)
def test_what_cannot_be_rated_is_told_in_a_sentence(
    house: RawFiles, words: str, card: str, sentence: str
) -> None:
    (house.folder / "empty.toml").write_text("")
    (house.folder / "twin.toml").write_text(CARDS.replace('"zoom"', '"twin"'))
    done = rate(house, *words.split(), card=card)
    assert done.exit_code == 2
    assert sentence in " ".join(done.stderr.split())

"""Voximplant's source against scripted answers: halving, warnings and errors."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from reading import read as read_as_configured
from reading import scripted_environment
from vendor_server import Answer, VendorServer

from pipelines.extract.client import Client
from pipelines.extract.errors import VendorError
from pipelines.extract.pagination import Page
from pipelines.planning.windows import Window
from pipelines.sources import voximplant as vendor

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def history(total: int, *ids: int, zone: str = "Etc/GMT") -> Answer:
    records = [{"call_session_history_id": number} for number in ids]
    body = {"result": records, "total_count": total, "timezone": zone}
    return Answer(json.dumps(body).encode())


def read(scripted: VendorServer, window: Window, *answers: Answer) -> list[Page]:
    scripted.answers = list(answers)
    client = Client(
        "voximplant",
        scripted.url,
        requests_per_second=1000,
        classify_error=vendor._classify_error,  # noqa: SLF001
    )
    return list(vendor.read(client, vendor.HISTORY, window))


def asked(scripted: VendorServer) -> list[tuple[str, str, str]]:
    forms = [parse_qs(body.decode()) for _, _, _, body in scripted.got]
    return [
        (form["from_date"][0][11:], form["to_date"][0][11:], form["offset"][0])
        for form in forms
    ]


def window(**length: int) -> Window:
    return Window(NOON, NOON + timedelta(**length), "call_sessions")


def test_nothing_that_is_asked_stands_in_the_address(scripted: VendorServer) -> None:
    read(scripted, window(hours=1), history(1, 7))
    method, path, _, body = scripted.got[0]
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    assert (method, path) == ("POST", "/GetCallHistory")
    assert form["timezone"] == "Etc/GMT"
    assert {form["with_calls"], form["with_records"], form["with_other_resources"]} == {
        "true"
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {"children_calls_only": "false"}),
        (
            {"child_account_id": "2;3"},
            {"child_account_id": "2;3", "children_calls_only": "false"},
        ),
        ({"children_calls_only": True}, {"children_calls_only": "true"}),
    ],
    ids=str,
)
def test_child_accounts_are_asked_for_where_a_setting_says_so(
    scripted: VendorServer, given: dict[str, object], sent: dict[str, str]
) -> None:
    environment = scripted_environment(scripted.url)
    scripted.answers = [history(0)]
    hour = Window(NOON, NOON + timedelta(hours=1), "call_sessions")
    reading = read_as_configured(environment, "voximplant", [hour], **given)
    assert reading.states == {"complete"}
    form = parse_qs(scripted.got[0][3].decode())
    of_children = {"child_account_id", "children_calls_only"} & form.keys()
    assert {name: form[name][0] for name in of_children} == sent


def test_pages_go_on_from_as_many_records_as_came(scripted: VendorServer) -> None:
    pages = read(scripted, window(hours=1), history(3, 1, 2), history(3, 3))
    assert [offset for _, _, offset in asked(scripted)] == ["0", "2"]
    assert [page.total for page in pages] == [3, 3]


def test_a_window_beyond_reach_is_halved_and_keeps_its_total(
    scripted: VendorServer,
) -> None:
    pages = read(
        scripted, window(seconds=4), history(10_001, 1), history(1, 1), history(1, 2)
    )
    assert asked(scripted) == [
        ("11:59:59", "12:00:04", "0"),
        ("11:59:59", "12:00:02", "0"),
        ("12:00:01", "12:00:04", "0"),
    ]
    assert {page.total for page in pages} == {10_001}


def test_a_second_beyond_reach_is_an_error_that_names_it(
    scripted: VendorServer,
) -> None:
    with pytest.raises(VendorError, match="12:00:00 and 12:00:01Z"):
        read(scripted, window(seconds=1), history(10_001, 1))


def test_the_second_in_which_a_window_ends_is_asked_for_whole(
    scripted: VendorServer,
) -> None:
    read(scripted, window(seconds=3, microseconds=1), history(0))
    assert asked(scripted) == [("11:59:59", "12:00:04", "0")]


WARNING = "Required 'from_date' parameter isn't set."


@pytest.mark.parametrize(
    ("warnings", "ignored"),
    [
        ([WARNING], "from_date"),
        (WARNING, "from_date"),
        (["Old.", {"code": 7, "msg": "with_calls is ignored"}], "with_calls"),
        (["Unknown parameter: desc_order, to_date"], "desc_order, to_date"),
    ],
)
def test_a_warning_of_what_was_asked_leaves_the_window_open(
    scripted: VendorServer, warnings: object, ignored: str
) -> None:
    answer = warned(history(1, 7), warnings)
    with pytest.raises(VendorError, match=f"did not heed {ignored},"):
        read(scripted, window(hours=1), answer)


@pytest.mark.parametrize(
    ("warnings", "told"),
    [
        ([], 0),
        (None, 0),
        ("", 0),
        (["This method will go.", "This method will go."], 1),
        ([{"code": 9, "msg": "The balance is low"}, "Old."], 2),
    ],
)
def test_any_other_warning_is_told_and_the_window_is_read(
    scripted: VendorServer, warnings: object, told: int
) -> None:
    scripted.answers = [warned(history(1, 7), warnings)]
    client = Client("voximplant", scripted.url)
    assert len(list(vendor.read(client, vendor.HISTORY, window(hours=1)))) == 1
    assert len(client.warnings) == told


def warned(answer: Answer, warnings: object) -> Answer:
    body = json.loads(answer.body) | {"warnings": warnings}
    return Answer(json.dumps(body).encode())


def test_an_answer_in_another_zone_is_an_error(scripted: VendorServer) -> None:
    answer = history(1, 7, zone="America/Los_Angeles")
    with pytest.raises(VendorError, match="America/Los_Angeles"):
        read(scripted, window(hours=1), answer)


@pytest.mark.parametrize(
    ("error", "stops_account", "words"),
    [
        ({"code": 100, "msg": "Authorization failed"}, True, "private_key"),
        ({"code": 104, "msg": "Forbidden command"}, True, "role"),
        ({"code": 111, "msg": "Invalid date format"}, False, "Invalid date"),
        ({"code": 456, "msg": "Token is expired"}, True, "clock"),
        ("partial", False, "another shape"),
    ],
)
def test_an_error_in_an_answer_is_never_an_empty_window(
    scripted: VendorServer, error: object, *, stops_account: bool, words: str
) -> None:
    answer = Answer(json.dumps({"error": error, "result": []}).encode())
    with pytest.raises(VendorError, match=words) as raised:
        read(scripted, window(hours=1), answer)
    assert raised.value.stops_account is stops_account


def test_a_word_error_in_a_record_is_no_error(scripted: VendorServer) -> None:
    body = {"result": [{"error": 1}], "total_count": 1, "timezone": "Etc/GMT"}
    (page,) = read(scripted, window(hours=1), Answer(json.dumps(body).encode()))
    assert len(page.records) == 1


def test_an_account_comes_without_its_secrets_and_else_as_it_came(
    scripted: VendorServer,
) -> None:
    client = Client(
        "voximplant",
        scripted.url,
        requests_per_second=1000,
        classify_error=vendor._classify_error,  # noqa: SLF001
    )
    window = Window(NOON, NOON + timedelta(hours=1), "account_info")
    for sent, stored in (
        (b'{"account_id":1,"api_key":"k","a":1.10}', b'{"account_id":1,"a":1.10}'),
        (b'{"account_id":1, "a":1.10}', b'{"account_id":1, "a":1.10}'),
    ):
        scripted.answers = [Answer(b'{"result":' + sent + b"}")]
        (page,) = vendor.account_info(client, window)
        assert [bytes(one) for one in page.records] == [stored]

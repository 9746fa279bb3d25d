"""Where a list ends, what its pages must have, and what is an error: on loopback."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vendor_server import Answer, VendorServer

from pipelines.extract import pagination
from pipelines.extract.client import Client
from pipelines.extract.errors import (
    ApiError,
    ExpiredPageError,
    Reply,
    ResultTooLargeError,
    VendorError,
)
from pipelines.extract.pagination import (
    Envelope,
    Fields,
    Listing,
    Page,
    Paging,
    by_offset,
    by_page,
    by_token,
    checked,
    only,
    pages,
    promised,
    record_of,
    restarted,
)
from pipelines.planning.windows import DAY, read_time

START = read_time("2026-03-01T00:00:00Z")
CALLS = Listing("/calls", records="items", total="total")


def client(vendor: VendorServer) -> Client:
    """Return a client for which each status of 400 is a bad request."""

    def classify(reply: Reply) -> ApiError | None:
        return ApiError("bad_request", "no") if reply.status == 400 else None

    return Client("acme", vendor.url, requests_per_second=1000, classify_error=classify)


def said(*bodies: object) -> list[Answer]:
    return [Answer(json.dumps(body).encode()) for body in bodies]


def listed(vendor: VendorServer, listing: Listing, *bodies: object) -> list[Page]:
    vendor.answers += said(*bodies)
    found = list(pages(client(vendor), listing))
    assert not vendor.answers, "not all pages were asked for"
    return found


def refusal(vendor: VendorServer, listing: Listing, *bodies: object) -> VendorError:
    with pytest.raises(VendorError) as error:
        listed(vendor, listing, *bodies)
    return error.value


def items(*records: object, **more: object) -> dict[str, object]:
    return {"items": records, **more}


def envelope(**keys: object) -> Envelope:
    whole = msgspec.json.encode(keys)
    return msgspec.json.decode(whole, type=Envelope)


def asked(vendor: VendorServer) -> list[str]:
    return [path.partition("?")[2] for _, path, _, _ in vendor.got]


def steps(paging: Paging, *found: tuple[Page, int]) -> list[Mapping[str, Any] | None]:
    turn = paging("acme /calls")
    return [turn({}, page, so_far) for page, so_far in found]


def page(count: int, total: int | None = None) -> Page:
    return Page([msgspec.Raw(b"{}")] * count, total)


def test_an_offset_ends_with_the_total_or_without_one_with_a_page_that_is_short() -> (
    None
):
    pages_of = ((page(2, 5), 4), (page(2, 5), 5), (page(2, 5), 6), (page(0, 5), 4))
    assert steps(by_offset("o", 3), *pages_of) == [{"o": 4}, None, None, None]
    pages_of = ((page(3), 3), (page(4), 7), (page(2), 9), (page(0), 9))
    assert steps(by_offset("o", 3), *pages_of) == [{"o": 3}, {"o": 7}, None, None]
    # A full page says nothing where the total is one.
    assert steps(by_offset("o", 3), (page(3, 3), 3)) == [None]
    low = by_offset("o", 3, total_may_be_low=True)
    pages_of = ((page(3, 3), 3), (page(2, 3), 5), (page(2, 9), 7), (page(0, 9), 7))
    assert steps(low, *pages_of) == [{"o": 3}, None, {"o": 7}, None]


def test_pages_are_counted_from_where_the_vendor_begins(scripted: VendorServer) -> None:
    more = [items(1, more=True), items(2, more=True), items(3, more=False)]
    for first, numbers in ((None, (1, 2)), (0, (1, 2)), (1, (2, 3)), (5, (6, 7))):
        begin = () if first is None else (first,)
        paging = by_page("page", "more", *begin)
        listed(scripted, Listing("/calls", "items", paging=paging), *more)
        assert asked(scripted) == ["", *(f"page={number}" for number in numbers)]
        scripted.got.clear()
    # An empty page is the last one, whatever it says; each list counts for itself.
    paging = by_page("page", "more")
    for _ in range(2):
        listing = Listing("/calls", "items", paging=paging)
        listed(scripted, listing, items(1, more=True), items(more=True))
        assert asked(scripted).pop() == "page=1"


def test_a_token_that_is_null_or_empty_ends_a_list(scripted: VendorServer) -> None:
    paging = by_token("page", "next")
    for last in (None, ""):
        listed(scripted, replace(CALLS, paging=paging), items(1, total=1, next=last))
    error = refusal(scripted, replace(CALLS, paging=paging), items(1, total=1))
    assert "answered without 'next'" in str(error)


def test_a_list_of_one_page_asks_for_no_other(scripted: VendorServer) -> None:
    (found,) = listed(scripted, CALLS, items(1, 2, total=9))
    assert (found.total, len(found.records), found.part) == (9, 2, None)
    assert not found.starts_over


@pytest.mark.parametrize(
    ("total", "is_count"), [(0, True), (2**53, True), (2**53 + 1, False), (-1, False)]
)
def test_a_total_is_a_number_that_json_has_exactly(
    scripted: VendorServer, total: int, *, is_count: bool
) -> None:
    if is_count:
        assert listed(scripted, CALLS, items(total=total))[0].total == total
        return
    error = refusal(scripted, CALLS, items(total=total))
    assert "sent a 'total' that counts nothing; the window is open" in str(error)


def test_a_total_may_be_a_text_or_absent_where_none_is_promised(
    scripted: VendorServer,
) -> None:
    assert listed(scripted, CALLS, items(total="3"))[0].total == 3
    assert listed(scripted, replace(CALLS, total=None), items())[0].total is None
    loose = replace(CALLS, total_is_promised=False)
    assert listed(scripted, loose, items())[0].total is None
    assert listed(scripted, loose, items(total=3))[0].total == 3
    assert "answered without 'total'" in str(refusal(scripted, CALLS, items()))
    assert "'total' in another shape" in str(
        refusal(scripted, loose, items(total="many"))
    )


def test_a_missing_key_is_told_with_the_first_eight_that_are_there() -> None:
    letters = dict.fromkeys("jihgfedcba", 1)
    with pytest.raises(VendorError, match=r"\(keys: a, b, c, d, e, f, g, h\)") as error:
        promised(envelope(**letters), "items", int, "acme /calls")
    assert "acme /calls answered without 'items'" in str(error.value)
    with pytest.raises(VendorError, match=r"\(keys: none\)"):
        promised({}, "items", int, "acme /calls")


@pytest.mark.parametrize("key", ["error", "Errors", "ERROR"])
@pytest.mark.parametrize(
    ("value", "is_error"),
    [(None, False), ([], False), ("", False), (0, False), (1, True), ("x", True)],
)
def test_an_error_beside_the_data_is_an_error_in_any_case_of_letters(
    key: str, value: object, *, is_error: bool
) -> None:
    whole = envelope(**{"items": [], key: value})
    if not is_error:
        assert checked(whole, "acme /calls") is whole
        return
    with pytest.raises(VendorError, match=f"acme /calls sent '{key}' beside its answ"):
        checked(whole, "acme /calls")


def test_an_error_that_cannot_be_read_is_one() -> None:
    deep = msgspec.Raw(b"[" * 100_000 + b"]" * 100_000)
    with pytest.raises(VendorError, match="beside its answer"):
        checked({"error": deep}, "acme /calls")


def test_a_list_reaches_as_far_as_its_pages_do(scripted: VendorServer) -> None:
    short = replace(CALLS, reach=2, paging=by_offset("o", 2))
    assert len(listed(scripted, short, items(1, 2, total=2))) == 1
    assert len(listed(scripted, short, items(1, total=2), items(2, total=2))) == 2
    for bodies in (
        [items(1, total=3)],
        [items(1, 2, 3, total=1)],
        [items(1, total=2), items(2, 3, total=2)],
    ):
        error = refusal(scripted, short, *bodies)
        assert isinstance(error, ResultTooLargeError)
    no_total = replace(short, total=None)
    full = [items(1, 2), items()]
    assert len(listed(scripted, no_total, *full)) == 2
    assert isinstance(
        refusal(scripted, no_total, items(1, 2), items(3)), ResultTooLargeError
    )


def test_only_a_page_with_records_is_the_same_page_again(
    scripted: VendorServer,
) -> None:
    paging = replace(CALLS, total=None, paging=by_token("page", "next"))
    empty = [items(next="a"), items(next="b"), items(next="")]
    assert len(listed(scripted, paging, *empty)) == 3
    other = [items(1, next="a"), items(2, next="b"), items(1, next="")]
    assert len(listed(scripted, paging, *other)) == 3
    # Two records are not the one that is written like both of them.
    split = [items("a", "b", next="a"), items("ab", next="")]
    assert len(listed(scripted, paging, *split)) == 2
    error = refusal(scripted, paging, items(1, next="a"), items(1, next="b"))
    assert "acme /calls sent the same page twice" in str(error)


def test_pages_without_end_are_an_error(
    scripted: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagination, "MOST_PAGES", 3)
    endless = replace(CALLS, paging=by_token("page", "next"))
    bodies = [items(number, total=9, next=f"{number}") for number in range(3)]
    error = refusal(scripted, endless, *bodies)
    assert "acme /calls had no last page after 3 pages" in str(error)
    assert len(scripted.got) == 3
    # The third may be the last one.
    assert len(listed(scripted, endless, *bodies[:2], items(total=9, next=""))) == 3


@pytest.mark.parametrize(("refused", "is_later"), [(0, False), (1, True), (2, True)])
def test_only_a_refused_later_page_can_have_an_expired_token(
    scripted: VendorServer, refused: int, *, is_later: bool
) -> None:
    token = replace(
        CALLS, paging=by_token("page", "next"), later_error=ExpiredPageError
    )
    scripted.answers = said(
        *(items(n, total=9, next=f"{n}") for n in range(refused)),
    )
    scripted.answers.append(Answer(b"{}", 400))
    with pytest.raises(VendorError) as error:
        list(pages(client(scripted), token))
    assert isinstance(error.value, ExpiredPageError) is is_later
    assert error.value.is_bad_request is not is_later
    # An answer that is no refusal says nothing of the token.
    scripted.answers = [*said(items(1, total=9, next="a")), Answer(b"[", 404)]
    with pytest.raises(VendorError) as error:
        list(pages(client(scripted), token))
    assert not isinstance(error.value, ExpiredPageError)


def test_bounds_that_are_repeated_are_looked_at_where_a_vendor_repeats_them(
    scripted: VendorServer,
) -> None:
    bounded = CALLS.between(START, START + DAY)
    other = {"from": "2026-02-01T00:00:00Z"}
    assert len(listed(scripted, bounded, items(total=0, **other))) == 1
    echoed = replace(bounded, repeats_bounds=True)
    error = refusal(scripted, echoed, items(total=0, **other))
    assert "answered for 'from' 2026-02-01T00:00:00Z and was asked for 2026-03-01" in (
        str(error)
    )
    minute = timedelta(minutes=1)
    for apart, is_answer in ((minute / 2, True), (minute, False), (-minute, False)):
        told = {"to": (START + DAY + apart).isoformat()}
        if is_answer:
            assert len(listed(scripted, echoed, items(total=0, **told))) == 1
        else:
            assert "another request" in str(
                refusal(scripted, echoed, items(total=0, **told))
            )


def test_a_date_alone_is_the_day_of_a_bound_and_no_day_beside_it(
    scripted: VendorServer,
) -> None:
    noon = replace(CALLS, repeats_bounds=True).between(START + DAY / 2, START + DAY)
    assert len(listed(scripted, noon, items(total=0, **{"from": " 2026-03-01 "}))) == 1
    # A whole time that is as far away is another one.
    for echo in ("2026-03-03", "2026-02-28", "2026-03-01T00:00:00Z"):
        assert "another request" in str(
            refusal(scripted, noon, items(total=0, **{"from": echo}))
        )
    assert refusal(scripted, noon, items(total=0, to="2026-03-03"))
    assert refusal(scripted, noon, items(total=0, to="2026-03-01"))


def test_a_text_that_every_page_repeats_must_be_an_allowed_one(
    scripted: VendorServer,
) -> None:
    zoned = replace(CALLS, repeats={"zone": ("UTC", "GMT")})
    for zone in ("UTC", "GMT"):
        assert len(listed(scripted, zoned, items(total=0, zone=zone))) == 1
    error = refusal(scripted, zoned, items(total=0, zone="CET"))
    assert "answered with zone 'CET', so this is the answer to another" in str(error)
    assert "without 'zone'" in str(refusal(scripted, zoned, items(total=0)))


def test_a_list_is_checked_as_it_says(scripted: VendorServer) -> None:
    seen: list[tuple[int | None, str]] = []
    listing = replace(CALLS, check=lambda page, place: seen.append((page.total, place)))
    listed(scripted, listing, items(total=4))
    assert seen == [(4, "acme /calls")]


@pytest.mark.parametrize(
    ("warning", "told"),
    [
        ([], []),
        (None, []),
        (["", "slow today"], ["acme warns: slow today"]),
        ("slow today", ["acme warns: slow today"]),
        (["slow", "slow", "late"], ["acme warns: slow", "acme warns: late"]),
    ],
)
def test_what_a_vendor_warns_of_is_passed_on_once(
    scripted: VendorServer, warning: object, told: list[str]
) -> None:
    listing = replace(CALLS, warnings="warnings", params={"limit": 5})
    asking = client(scripted)
    scripted.answers = said(items(total=0, warnings=warning))
    assert len(list(pages(asking, listing))) == 1
    assert asking.warnings == told


@pytest.mark.parametrize("part", ["params", "data"])
def test_a_warning_that_names_what_was_sent_is_an_error(
    scripted: VendorServer, part: str
) -> None:
    sent = {"b_field": 1, "a_field": 2, "other": 3}
    listing = replace(CALLS, warnings="warnings", **{part: sent})
    words = ["ignored: b_field, a_field; others"]
    error = refusal(scripted, listing, items(total=0, warnings=words))
    assert "acme did not heed a_field, b_field, so that its answer may lack" in (
        str(error)
    )
    quiet = replace(listing, warnings=None)
    assert len(listed(scripted, quiet, items(total=0, warnings=words))) == 1


def test_one_record_under_a_key_is_a_page_of_it(scripted: VendorServer) -> None:
    one = Listing("/calls", records="call", is_one_record=True)
    (found,) = listed(scripted, one, {"call": {"id": 7}})
    assert ([bytes(record) for record in found.records], found.total) == (
        [b'{"id": 7}'],
        None,
    )
    assert "'call' in another shape" in str(refusal(scripted, one, {"call": [1]}))


def test_a_record_is_asked_for_by_an_id_that_is_no_part_of_a_path(
    scripted: VendorServer,
) -> None:
    scripted.answers = said({"id": "a/b"}, [1], {"error": "gone"})
    found = record_of(client(scripted), "/calls", "a/b?c")
    assert [bytes(record) for record in found.records] == [b'{"id": "a/b"}']
    assert scripted.got[0].path == "/calls/a%2Fb%3Fc"
    assert len(record_of(client(scripted), "/calls", "1").records) == 1
    with pytest.raises(VendorError, match="acme /calls sent 'error' beside"):
        record_of(client(scripted), "/calls", "1")


def test_a_record_that_was_not_asked_for_shows_that_a_filter_did_not_work() -> None:
    check = only("kind", ("voice", "chat"), "channels", "check it")
    fine: list[dict[str, object]] = [
        *({"kind": kind} for kind in ("voice", "chat", "", None, 7, ["x"])),
        {"other": "x"},
    ]
    odd = [msgspec.Raw(b'{"kind": "\xff"}'), msgspec.Raw(b"[1]")]
    records = [*map(msgspec.Raw, map(msgspec.json.encode, fine)), *odd]
    check(Page(records), "acme /calls")
    wrong = msgspec.Raw(b'{"kind": "Voice"}')
    sentence = "whose kind was not asked for, so it did not understand 'channels'; chec"
    for stops in (False, True):
        strict = only("kind", ("voice",), "channels", "check it", stops_account=stops)
        with pytest.raises(VendorError, match=sentence) as error:
            strict(Page([records[0], odd[0], wrong]), "acme /calls")
        assert error.value.stops_account is stops
    with pytest.raises(VendorError, match=sentence) as error:
        check(Page([wrong]), "acme /calls")
    assert not error.value.stops_account


def reads(*lists: list[Page | None]) -> Iterator[Iterator[Page]]:
    """Give lists in turn; None: the page's token has expired."""
    for pages_of in lists:

        def one(pages_of: list[Page | None] = pages_of) -> Iterator[Page]:
            for found in pages_of:
                if found is None:
                    raise ExpiredPageError("acme: the token expired")
                yield found

        yield one()


def test_a_list_begins_again_three_times_at_most_if_a_token_expires() -> None:
    expired, whole = [page(1), page(2), None], [page(1), page(2), page(3)]
    for failures in range(4):
        turns = reads(*[expired] * failures, whole)
        found = list(restarted(lambda turns=turns: next(turns)))  # type: ignore[misc]
        assert [len(one.records) for one in found] == [1, 2] * failures + [1, 2, 3]
        begun = [number for number, one in enumerate(found) if one.starts_over]
        assert begun == [2 * number for number in range(1, failures + 1)]
    turns = reads(*[expired] * 4)
    with pytest.raises(VendorError, match="expired; the window was begun again 3 tim"):
        list(restarted(lambda: next(turns)))
    with pytest.raises(StopIteration):
        next(turns)


def test_fewer_fields_are_asked_for_once_the_vendor_has_refused_them(
    scripted: VendorServer,
) -> None:
    fields = Fields("a,b,c", "a,b", parameter="only")
    scripted.answers = [Answer(b"{}", 400), *said(items(total=0), items(total=0))]
    for _ in range(2):
        assert len(list(fields.pages(client(scripted), CALLS))) == 1
    assert asked(scripted) == ["only=a%2Cb%2Cc", "only=a%2Cb", "only=a%2Cb"]
    # The fewer ones are refused as well.
    scripted.answers = [Answer(b"{}", 400)]
    with pytest.raises(VendorError) as error:
        list(fields.pages(client(scripted), CALLS))
    assert error.value.is_bad_request


@pytest.mark.parametrize(("status", "fewer"), [(400, ""), (404, "a,b")])
def test_a_refusal_that_fewer_fields_cannot_mend_is_an_error(
    scripted: VendorServer, status: int, fewer: str
) -> None:
    fields = Fields("a,b,c", fewer)
    scripted.answers = [Answer(b"{}", status)]
    with pytest.raises(VendorError):
        list(fields.pages(client(scripted), CALLS))
    assert (fields.names, asked(scripted)) == ("a,b,c", ["fields=a%2Cb%2Cc"])


def test_fields_that_were_fewer_in_vain_are_asked_for_again(
    scripted: VendorServer,
) -> None:
    fields = Fields("a,b", "a")
    scripted.answers = [Answer(b"{}", 400)] * 2
    with pytest.raises(VendorError):
        list(fields.pages(client(scripted), CALLS))
    assert (fields.names, len(scripted.got)) == ("a,b", 2)


def test_other_parameters_stand_beside_those_that_were_sent() -> None:
    moved = replace(CALLS, params={"a": 1, "b": 2}).moved({"b": 3})
    assert (moved.params, moved.data) == ({"a": 1, "b": 3}, {})
    form = replace(CALLS, params={"a": 1}, data={"b": 2}).moved({"c": 3})
    assert (form.params, form.data) == ({"a": 1}, {"b": 2, "c": 3})
    bounded = form.between(START, START + DAY)
    assert (bounded.params, {*bounded.data}) == ({"a": 1}, {"b", "c", "from", "to"})
    assert bounded.bounds_sent == {"from": START, "to": START + DAY}


@given(st.lists(st.integers(1, 4), max_size=8), st.booleans())
def test_every_record_comes_once_however_large_the_pages_are(
    sizes: list[int],
    has_total: bool,  # noqa: FBT001 - drawn
) -> None:
    whole = list(range(sum(sizes)))
    cuts, paging = iter([*sizes, 0]), by_offset("o", 1)
    turn, so_far, got = paging("acme /calls"), 0, list[int]()
    for _ in range(len(sizes) + 1):
        part = whole[so_far : so_far + next(cuts)]
        so_far, total = so_far + len(part), len(whole) if has_total else None
        got += part
        step = turn({}, page(len(part), total), so_far)
        if step is None:
            break
        assert step == {"o": so_far}
    else:
        pytest.fail("it asks for more pages than there are")
    assert got == whole

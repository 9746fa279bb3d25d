"""A number is found in whatever form a vendor writes it, and another one is not."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.load.written_forms import forms_in, listed_forms, name_form, names_in

REGIONS = ("US", "GB", "DE", "IT", "RU", "FR", "BR")
DIGITS = "12025550123"
ARABIC = {ord("0") + digit: 0x660 + digit for digit in range(10)}
SEPARATORS = (" ", "-", ".", "", "\u00a0", "\u2011", " - ")
NUMBERS = st.sampled_from(REGIONS).map(
    lambda region: phonenumbers.example_number(region) or pytest.fail(region)
)


def e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_found(text: str, listed: str, region: str | None = None) -> bool:
    return bool(listed_forms(listed) & {*forms_in(text, region)})


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str, str | None]:
    """Give a text with a number in it, the number, and the region of the account."""
    number = draw(NUMBERS)
    region = phonenumbers.region_code_for_number(number)
    shape = draw(st.sampled_from([*range(3)]))
    text = phonenumbers.format_number(number, shape)
    gap = draw(st.sampled_from(SEPARATORS))
    text = gap.join(text.replace("-", " ").split())
    is_whole = text.startswith("+")
    if is_whole:
        before = draw(st.sampled_from(("+", "00", "011", "tel:+", "\uff0b", "")))
        text = before + text.removeprefix("+")
    around = draw(
        st.sampled_from(("{}", "call {}, please", "({})", "sip:{}@pbx", "{};x=1"))
    )
    return around.format(text), e164(number), None if is_whole else region


@given(written())
def test_a_number_is_found_in_every_form(one: tuple[str, str, str | None]) -> None:
    text, number, region = one
    assert is_found(text, number, region), one


@given(NUMBERS, NUMBERS, st.integers(0, 9), st.sampled_from([None, *REGIONS]))
def test_another_number_is_not_found(
    number: phonenumbers.PhoneNumber,
    other: phonenumbers.PhoneNumber,
    digit: int,
    region: str | None,
) -> None:
    listed = e164(number)
    changed = listed[:-1] + str(digit)
    if changed != listed:
        assert not is_found(changed, listed, region)
    assert is_found(e164(other), listed, region) == (other == number)


@pytest.mark.parametrize(
    ("text", "region", "is_listed"),
    [
        ("12025550123", None, True),
        ("1.2025550123E10", None, True),
        ("12025550123.0", None, True),
        ("/rec/20261117-12025550123-01.mp3", None, True),
        ("Mon 16:00 +1 202 555 0123 ext. 12", None, True),
        (DIGITS.translate(ARABIC), None, True),
        ("(202) 555-0123", "US", True),
        ("(202) 555-0123", None, False),
        ("2025550123", "DE", False),
        (f"{DIGITS}4", None, False),
        (f"9{DIGITS}", None, False),
        ("2026-11-17 03:00:00", "US", False),
        ("", "US", False),
    ],
)
def test_where_a_number_stands(
    text: str, region: str | None, *, is_listed: bool
) -> None:
    assert is_found(text, "+12025550123", region) == is_listed


@pytest.mark.parametrize(
    ("text", "number", "region"),
    [
        ("+44 (0)20 7946 0123", "+442079460123", None),
        ("+44 020 7946 0123", "+442079460123", None),
        ("020 7946 0123", "+442079460123", "GB"),
        ("8 (700) 000-00-03", "+77000000003", "RU"),
    ],
)
def test_a_prefix_that_is_dialled_at_home_hides_no_number(
    text: str, number: str, region: str | None
) -> None:
    assert is_found(text, number, region)


def test_a_name_is_the_same_with_scheme_brackets_and_case() -> None:
    same = ("sip:User3@PBX.example.com", "<sip:user3@pbx.example.com;transport=tcp>")
    assert {name_form(one) for one in same} == {"user3@pbx.example.com"}
    assert "user3@pbx.example.com" in names_in("from SIP:user3@pbx.example.com, twice")
    assert name_form("user30@pbx.example.com") not in names_in(same[0])

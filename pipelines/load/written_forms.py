"""The forms in which a phone number or a name may stand in a text.

`listed_forms` and `forms_in` name a number in the same words: its digits with the
country code, and the country code and the national digits with a blank between them.
"""

import re
import unicodedata
from collections.abc import Iterator

import phonenumbers

from transforms.runner.phone_numbers import read_number

SHORTEST, LONGEST = 6, 18
"""Digits of a number as it is written, with 00 or 011 before them."""
SHORT_TEXT = 40
"""Characters of a text that is read as a number as a whole."""
LONGEST_NAME = 320
_GAP = r"[\s().\-/\u2010-\u2015]{0,5}"
_TOKEN = re.compile(rf"\+?[\s(]{{0,2}}\d(?:{_GAP}\d)*")
_FLOAT = re.compile(r"\d\.\d+[eE]\+?\d{1,2}(?!\d)")
_ABROAD = re.compile(r"00|011|810")
_ADDRESS = re.compile(r"[^\s@<>\"';,:]+@[^\s@<>\"';,:]+")
_SCHEME = re.compile(r"(?:sips?|tel|mailto):")


def listed_forms(e164: str) -> set[str]:
    """Return the forms of a number that a list must have."""
    number = phonenumbers.parse(e164)
    code, national = (
        number.country_code,
        phonenumbers.national_significant_number(number),
    )
    region = phonenumbers.region_code_for_country_code(code or 0)
    prefix = phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True) or ""
    return {e164.lstrip("+"), f"{code}{prefix}{national}", f"{code} {national}"}


def forms_in(text: str, region: str | None) -> Iterator[str]:
    """Yield the forms of every number that may stand in a text of an account.

    ``region`` is the country in whose national form the account's numbers are.
    """
    plain = _plain(text)
    if not re.search(r"\d", plain):
        return
    if len(plain) <= SHORT_TEXT:
        for omits_plus in (False, True):
            found = read_number(plain, region, omits_plus=omits_plus).e164
            if found is not None:
                yield found.lstrip("+")
    code, prefix = _national(region)
    variants = {plain, plain.replace("(0)", "")}
    variants |= {f"{float(one):.0f}" for one in _FLOAT.findall(plain)}
    for digits in {one for variant in variants for one in _digits_in(variant)}:
        yield digits
        if abroad := _ABROAD.match(digits):
            yield digits[abroad.end() :]
        if code:
            yield f"{code} {digits}"
            yield f"{code} {digits.removeprefix(prefix)}"


def name_form(text: str) -> str:
    """Return the form of a name or an address: without scheme, brackets and case."""
    bare = _SCHEME.sub("", _plain(text).casefold().strip(' <>"'))
    return bare.partition(";")[0].strip()


def names_in(text: str) -> Iterator[str]:
    """Yield the text as a name, and every address in it."""
    if len(text) <= LONGEST_NAME:
        yield name_form(text)
    if "@" in text:
        yield from map(name_form, _ADDRESS.findall(text))


def _digits_in(text: str) -> Iterator[str]:
    """Yield the digits of all that may be a number.

    A number may be the beginning of what stands together, or a part of it: any without
    a plus before it, which begins with a country code.
    """
    for token in _TOKEN.findall(text):
        parts = re.findall(r"\d+", token)
        starts = 1 if token.startswith("+") else len(parts)
        for start in range(starts):
            digits = ""
            for part in parts[start:]:
                digits += part
                if len(digits) > LONGEST:
                    break
                if len(digits) >= SHORTEST:
                    yield digits


def _national(region: str | None) -> tuple[int, str]:
    """Return the country code of a region, and what is dialled before a number."""
    if region is None:
        return 0, ""
    prefix = phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True)
    return phonenumbers.country_code_for_region(region), prefix or ""


def _plain(text: str) -> str:
    """Return the text without what cannot be seen, all digits those of ASCII."""
    if text.isascii():
        return text
    seen = (one for one in text if unicodedata.category(one) != "Cf")
    plain = (f"{unicodedata.decimal(one)}" if one.isdecimal() else one for one in seen)
    return "".join(plain).replace("\uff0b", "+")

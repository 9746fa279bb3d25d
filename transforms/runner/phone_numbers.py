"""Phone numbers as vendors write them: E.164, what else it is, and the country.

A wrong number is worse than none. A number without a plus or 00 must be valid in the
region of the account, by its numbering plan and not only by its length. One with them
needs a possible length only, because the numbering plans of the library age.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, cast

import phonenumbers
import pyarrow as pa
from duckdb import DuckDBPyConnection
from duckdb.func import FunctionNullHandling, PythonUDFType
from phonenumbers import PhoneNumber, ValidationResult

Kind: TypeAlias = Literal["e164", "sip", "internal", "anonymous", "unknown"]

FUNCTION = "phone_number"
"""What models call: (text, region, omits_plus) to a struct (e164, kind, country)."""
_READING = pa.struct([(name, pa.string()) for name in ("e164", "kind", "country")])

_WITHHELD = ("anonymous", "blocked", "restricted", "unavailable", "unknown")
_KEYPAD = {phonenumbers.convert_alpha_characters_in_number(one) for one in _WITHHELD}
"""Carriers that can only pass digits on spell these words on the keypad."""
_ANONYMOUS = {
    *_WITHHELD,
    *("hidden", "private", "withheld", "suppressed", "unlisted", "not available"),
    *("no caller id", "id blocked", "caller id blocked", "caller unknown"),
    *("anonymous caller", "unknown caller", "unknown number", "private caller"),
    *("private number", "blocked number", "withheld number", "hidden number"),
    *("аноним", "анонимный", "скрыт", "скрытый", "скрытый номер", "номер скрыт"),
}
_SIP = re.compile(r"sips?:.*|[^\s@]+@[^\s@]+", re.IGNORECASE | re.DOTALL)
_SCHEME = re.compile(r"(?:sips?|tel):")
_WORDS = (
    *("ext", "extn", "exten", "extension", "extensión", "xtn", "x", "#", "~"),
    *("доб", "добавочный", "внутр", "внутренний", "вн"),
    *("dw", "durchwahl", "nst", "nebenstelle", "apparat", "app"),
    *("poste", "int", "interno", "intern", "anexo", "ramal", "toestel", "tst"),
    *("anknytning", "wewn", "wew", "linka", "klapka", "lokal"),
)
"""What stands before an extension."""
_WRITTEN = re.compile(
    r"(?:(?:tel|callto):)?\s*"
    r"(?P<number>\+?\d\.\d+e\+?\d+|\+?[\d\s().\-/\u2010-\u2015]+)"
    rf"(?:[\s,]*(?:{'|'.join(map(re.escape, _WORDS))})[.:=#\s-]*\d{{1,9}}#?[\s)]*"
    r"|(?:[,pw]+\s*\d{1,7}[#*]*\s*)+)?",  # waits, then dials on
    re.IGNORECASE,
)
_PARAMETER = re.compile(
    r"\s*(?:[#*\d]{1,8}\s*|(?P<name>[^\W\d_][^=]*)(?:=(?P<value>.*))?)?"
)
"""As RFC 3966 writes it behind a semicolon, or digits that are dialled after a wait."""
_FLOAT = re.compile(
    r"(?P<whole>\+?\d+)\.0+|(?P<first>\+?\d)\.(?P<digits>\d+)e\+?(?P<exponent>\d+)",
    re.IGNORECASE,
)
_HOME_ZERO = re.compile(r"\(\s*0\s*\)")
_LONGEST = 250
_EXTENSION = re.compile(r"\d{1,6}")
_E164 = re.compile(r"\+[1-9]\d{5,14}")
_RUSSIAN = frozenset({"RU", "KZ"})
_NATIONAL = 10
"""Digits of a Russian number without its trunk prefix."""
_EIGHT = re.compile(r"8[^1256]\d{9}")
"""Russian with its trunk prefix, or foreign; no area code begins with 1, 2, 5 or 6."""


@dataclass(frozen=True)
class Reading:
    """What a text says: ``e164`` where it is a number that can be dialled."""

    e164: str | None
    kind: Kind
    country: str | None = None
    """ISO 3166-1 alpha-2; None where a number belongs to none, or to one of many."""


def read_number(text: str, region: str | None, *, omits_plus: bool = False) -> Reading:
    """Read any text at all.

    ``region`` is the country (ISO alpha-2) whose national form an account writes;
    ``omits_plus`` says that its vendor writes numbers in full without the plus.
    """
    plain = _plain(text)
    if _is_anonymous(plain):
        return Reading(None, "anonymous")
    written = _written(plain) if len(plain) <= _LONGEST else None
    if written is None:
        return Reading(None, "sip" if _SIP.fullmatch(plain) else "unknown")
    if _digits(written).removeprefix("1") in _KEYPAD:
        return Reading(None, "anonymous")
    if written.startswith("+"):
        return _in_full(written)
    if _EXTENSION.fullmatch(_digits(written)):
        return Reading(None, "internal")
    return _in_part(written, region, omits_plus=omits_plus)


def register(connection: DuckDBPyConnection) -> None:
    """Give a connection the function that models call."""
    connection.create_function(
        FUNCTION,
        _read_column,
        ["varchar", "varchar", "boolean"],
        "struct(e164 varchar, kind varchar, country varchar)",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )


def version() -> str:
    """Name all that decides what a text is read as, this file among it."""
    code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    return f"phonenumbers {phonenumbers.__version__} {code}"


def _read_column(
    texts: pa.StringArray, regions: pa.StringArray, omits: pa.BooleanArray
) -> pa.StructArray:
    rows = zip(texts.to_pylist(), regions.to_pylist(), omits.to_pylist(), strict=True)
    read = [
        None
        if text is None
        else vars(read_number(text, region, omits_plus=bool(omitted)))
        for text, region, omitted in rows
    ]
    return cast("pa.StructArray", pa.array(read, type=_READING))


def _plain(text: str) -> str:
    """Return the text without what cannot be seen, all digits those of ASCII."""
    if text.isascii():
        return text.strip()
    seen = (one for one in text if unicodedata.category(one) != "Cf")
    plain = (f"{unicodedata.decimal(one)}" if one.isdecimal() else one for one in seen)
    return "".join(plain).replace("\uff0b", "+").strip()


def _is_anonymous(plain: str) -> bool:
    party, _, host = _SCHEME.sub("", plain.lower()).partition("@")
    party = party.partition(";")[0]
    bare = re.sub(r"[\s_<>()\"'-]+", " ", party).strip()
    return bare in _ANONYMOUS or host.startswith("anonymous.invalid")


def _written(plain: str) -> str | None:
    """Return the number in a text without what stands behind it, if it is one."""
    head, *parameters = plain.split(";")
    found = [_PARAMETER.fullmatch(one) for one in parameters]
    match = _WRITTEN.fullmatch(head.strip())
    if match is None or None in found:
        return None
    written = _whole(match["number"].strip())
    for one in found:
        if one and (one["name"] or "").lower() == "phone-context":
            context = (one["value"] or "").strip()
            # Else it names who knows the number, a domain, and says no more of it.
            if written and context.startswith("+") and written[0] != "+":
                return context + written
    return written


def _whole(number: str) -> str | None:
    """Return a number that went through a float as it was before, any other as it is.

    An exponent that leaves digits out has cut them off: they are not known to be 0.
    """
    match = _FLOAT.fullmatch(number)
    if match is None:
        return number
    if match["whole"]:
        return match["whole"]
    exponent = min(int(match["exponent"]), _LONGEST)
    digits, rest = match["digits"][:exponent], match["digits"][exponent:]
    is_exact = len(digits) == exponent and not rest.strip("0")
    return match["first"] + digits if is_exact else None


def _in_full(written: str) -> Reading:
    """Read a text that begins with a plus.

    A "(0)" is usually dialled within the country only. It is kept if the number is
    valid with it, and else dropped.
    """
    kept, whole = _HOME_ZERO.sub("0", written), _HOME_ZERO.sub("", written)
    number = _parsed(kept, None)
    if number is not None and phonenumbers.is_valid_number(number):
        return _told(_formatted(number), number)
    number = _parsed(whole, None)
    if number is None:
        return Reading(None, "unknown")
    if phonenumbers.is_valid_number(number):
        return _told(_formatted(number), number)
    if kept != whole and not _drops_zero(number):
        return Reading(None, "unknown")
    found = phonenumbers.is_possible_number_with_reason(number)
    if found != ValidationResult.IS_POSSIBLE:
        return Reading(None, "unknown")
    # Not formatted: of a number in no plan the library drops more digits each time.
    return _told("+" + _digits(whole), number)


def _drops_zero(number: PhoneNumber) -> bool:
    """Return True if a country of this number dials a 0 at home only."""
    regions = phonenumbers.region_codes_for_country_code(number.country_code or 0)
    return any(_home_prefix(one) == "0" for one in regions)


def _home_prefix(region: str) -> str | None:
    return phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True)


def _in_part(written: str, region: str | None, *, omits_plus: bool) -> Reading:
    """Read what begins with no plus, as the first that is valid."""
    for number in _readings(written, region, omits_plus=omits_plus):
        if number is not None and phonenumbers.is_valid_number(number):
            return _told(_formatted(number), number)
    return Reading(None, "unknown")


def _readings(
    written: str, region: str | None, *, omits_plus: bool
) -> Iterator[PhoneNumber | None]:
    """Yield what a text without a plus can be, the likeliest first."""
    digits = _digits(written)
    if digits.startswith("00"):
        yield _parsed("+" + digits[2:], None)
    national = None if region is None else _parsed(written, region)
    if not omits_plus:
        yield national
    elif not _may_be_russian(digits):
        yield _parsed("+" + digits, None)
        yield national
    elif region in _RUSSIAN:
        yield national
        yield _parsed("+" + digits, None)
    elif region is not None:
        yield _parsed("+" + digits, None)
        yield national


def _may_be_russian(digits: str) -> bool:
    """Return True if the digits are a number in Russia's national form as well."""
    if _EIGHT.fullmatch(digits):
        return True
    number = _parsed(digits, "RU") if len(digits) == _NATIONAL else None
    return number is not None and phonenumbers.is_valid_number(number)


def _told(e164: str, number: PhoneNumber) -> Reading:
    if not _E164.fullmatch(e164):
        return Reading(None, "unknown")
    country = phonenumbers.region_code_for_number(number)
    if country is None:
        regions = phonenumbers.region_codes_for_country_code(number.country_code or 0)
        country = regions[0] if len(regions) == 1 else None
    return Reading(e164, "e164", country if country and country.isalpha() else None)


def _parsed(text: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _formatted(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)

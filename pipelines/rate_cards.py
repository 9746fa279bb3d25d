"""Prices that the operator knows of, where the vendor gives none; checked strictly.

A card that matches no call is a price that silently is not counted.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import get_type_hints

import msgspec

from pipelines.given import ConfigError, Setting, nearest, read_toml

RATED = ("whippy",)
"""Vendors whose calls have no price of their own."""
KNOWN: Mapping[str, tuple[str, ...]] = {
    "vendor": RATED,
    "direction": ("inbound", "outbound"),
    "component": (
        "telephony",
        "transfer",
        "bot",
        "ai_llm",
        "ai_tts",
        "ai_stt",
        "ai_platform",
        "recording",
        "transcription",
        "other",
    ),
    "unit": ("second", "minute", "call"),
}
SMALLEST = Decimal("0.000001")
MOST = 10**12
"""What money and seconds have room for: DECIMAL(18, 6)."""
UNUSED = ("base_cost", "allowance")
"""A price of a month: nothing here divides one among its calls."""


@dataclass(frozen=True)
class RateCard:
    """A price where the vendor gives none (model.md, ``rate_cards``)."""

    vendor: str
    account: str
    direction: str
    component: str
    unit: str
    increment: Decimal
    unit_price: Decimal
    currency: str
    valid_from: date
    minimum: Decimal = Decimal(0)
    base_cost: Decimal = Decimal(0)
    allowance: Decimal = Decimal(0)
    valid_to: date | None = None


def read_rate_cards(
    path: Path, accounts: Mapping[str, Collection[str]]
) -> tuple[RateCard, ...]:
    """Read every ``[[rate_card]]``; ``accounts`` are the configured ones by vendor.

    Raises `ConfigError` for what matches no call or means nothing.
    """
    if not path.exists():
        return ()
    given = read_toml(path)
    for key in given:
        nearest(key, ("rate_card",), Setting(None, str(path)))
    return tuple(_cards(path, given.get("rate_card", []), accounts))


def _cards(
    path: Path, given: object, accounts: Mapping[str, Collection[str]]
) -> Iterator[RateCard]:
    cards = given if isinstance(given, list) else [given]
    for number, one in enumerate(cards, start=1):
        place = f"{path}: rate_card {number}"
        for key in one if isinstance(one, dict) else ():
            nearest(key, get_type_hints(RateCard), Setting(None, f"{place} {key}"))
        try:
            card = msgspec.convert(one, RateCard)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{place}: {error}") from None
        for key, known in KNOWN.items():
            nearest(getattr(card, key), known, Setting(None, f"{place} {key}"))
        if aliases := accounts.get(card.vendor, ()):
            nearest(card.account, aliases, Setting(None, f"{place} account"))
        for key, wrong in _oddities(card):
            raise ConfigError(f"{place} {key}: {wrong}")
        yield card


def _oddities(card: RateCard) -> Iterator[tuple[str, str]]:
    for key in UNUSED:
        if getattr(card, key):
            yield key, "not supported yet; a card prices each call by itself"
    if not re.fullmatch("[A-Z]{3}", card.currency):
        yield "currency", f"{card.currency!r} is no ISO 4217 code such as 'USD'"
    for key in ("increment", "minimum", "unit_price"):
        amount: Decimal = getattr(card, key)
        if not amount.is_finite() or not 0 <= amount < MOST:
            yield key, "must be 0 or more"
        elif amount != amount.quantize(SMALLEST):
            yield key, f"has more decimals than {SMALLEST}"
    if not card.increment:
        yield "increment", "must be more than 0 seconds"
    if card.valid_to is not None and card.valid_to < card.valid_from:
        yield "valid_to", f"lies before valid_from, {card.valid_from}"

"""Read rate cards: prices that the operator knows, for vendors that send none.

Every key is checked, because a card that matches no call would silently not count.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import get_type_hints

import msgspec

from pipelines.config.toml_file import ConfigError, Setting, nearest, read_toml
from pipelines.sources import vendors

KNOWN: Mapping[str, tuple[str, ...]] = {
    "vendor": tuple(vendors()),
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
    "handled_by": ("ai", "human"),
    "basis": ("total", "talk", "leg"),
}
AMOUNTS = (
    *("increment", "initial", "minimum", "unit_price", "connection_fee"),
    *("base_cost", "allowance"),
)
DAY = timedelta(days=1)
SMALLEST = Decimal("0.000001")
MOST = 10**12
"""Amounts of money and seconds are DECIMAL(18, 6), so they are smaller than this."""


@dataclass(frozen=True)
class RateCard:
    """The price of one cost component of an account's calls in one direction.

    ``unit_price`` is per ``unit``; ``initial``, ``increment`` and ``minimum`` are in
    seconds: a carrier's 20/6 is an ``initial`` of 20 and an ``increment`` of 6.
    ``allowance`` is the number of units per UTC month that cost nothing, ``base_cost``
    is paid once per month. Both days are UTC days, and part of the validity.
    """

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
    overrides: bool = False
    """True: it counts also for calls to which the vendor gives a price."""
    handled_by: str | None = None
    """None: all calls; ``ai`` or ``human``: only those that it handled, before a card
    for all calls."""
    basis: str = "total"
    """What is measured: the ``total`` call, its ``talk``, or each ``leg`` of it."""
    initial: Decimal = Decimal(0)
    """Seconds that are paid as a whole from the first one on, before increments."""
    answered_only: bool = False
    """True: a call, or with ``leg`` a leg, that nobody answered costs nothing."""
    connection_fee: Decimal = Decimal(0)
    """Paid for each call, or with ``leg`` each leg, that has anything to pay."""

    def is_valid(self, day: date) -> bool:
        """Return True if the card is valid on a UTC day."""
        return self.valid_from <= day and (
            self.valid_to is None or day <= self.valid_to
        )


def read_rate_cards(
    path: Path, accounts: Mapping[str, Collection[str]]
) -> tuple[RateCard, ...]:
    """Return every ``[[rate_card]]`` of a file; ``accounts`` are names by vendor.

    Raises `ConfigError` for a card that can match no call, or has an invalid value.
    """
    if not path.exists():
        return ()
    given = read_toml(path)
    for key in given:
        nearest(key, ("rate_card",), Setting(None, str(path)))
    cards = tuple(_cards(path, given.get("rate_card", []), accounts))
    _refuse_twins(path, cards)
    _refuse_two_currencies(path, cards)
    return cards


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
            if (word := getattr(card, key)) is not None:
                nearest(word, known, Setting(None, f"{place} {key}"))
        if aliases := accounts.get(card.vendor, ()):
            nearest(card.account, aliases, Setting(None, f"{place} account"))
        for key, wrong in _oddities(card):
            raise ConfigError(f"{place} {key}: {wrong}")
        yield card


def _oddities(card: RateCard) -> Iterator[tuple[str, str]]:
    if not re.fullmatch("[A-Z]{3}", card.currency):
        yield "currency", f"{card.currency!r} is not an ISO 4217 code such as 'USD'"
    for key in AMOUNTS:
        amount: Decimal = getattr(card, key)
        if not amount.is_finite() or not 0 <= amount < MOST:
            yield key, "must be 0 or more"
        elif amount != amount.quantize(SMALLEST):
            yield key, f"has more decimals than {SMALLEST}"
    if not card.increment:
        yield "increment", "must be more than 0 seconds"
    if card.valid_to is not None and card.valid_to < card.valid_from:
        yield "valid_to", f"lies before valid_from, {card.valid_from}"


def _refuse_twins(path: Path, cards: Sequence[RateCard]) -> None:
    """Raise `ConfigError` for two cards of one component that start on one day."""
    first: dict[tuple[str | date | None, ...], int] = {}
    for number, card in enumerate(cards, start=1):
        of = (
            *(card.vendor, card.account, card.direction, card.component),
            card.handled_by,
        )
        if (twin := first.setdefault((*of, card.valid_from), number)) != number:
            raise ConfigError(
                f"{path}: rate_card {number} valid_from: rate_card {twin} prices the "
                f"same from {card.valid_from} on; delete one or give it another day"
            )


def _refuse_two_currencies(path: Path, cards: Sequence[RateCard]) -> None:
    """Raise `ConfigError` for cards that give one call costs in two currencies."""
    ends = {one.valid_to + DAY for one in cards if one.valid_to not in {None, date.max}}
    days = sorted({one.valid_from for one in cards} | ends)
    for day, handler in product(days, (None, *KNOWN["handled_by"])):
        latest: dict[tuple[str, str, str], dict[str, tuple[int, RateCard]]] = {}
        for number, one in sorted(
            enumerate(cards, start=1),
            key=lambda pair: (pair[1].handled_by is not None, pair[1].valid_from),
        ):
            if one.is_valid(day) and one.handled_by in {None, handler}:
                calls = (one.vendor, one.account, one.direction)
                latest.setdefault(calls, {})[one.component] = (number, one)
        for found in latest.values():
            (number, card), *others = sorted(found.values(), key=lambda pair: pair[0])
            for other, differing in others:
                if differing.currency != card.currency:
                    raise ConfigError(
                        f"{path}: rate_card {other} currency: rate_card {number} has "
                        f"{card.currency} for the same calls on {day}; a call's costs "
                        "need one currency"
                    )

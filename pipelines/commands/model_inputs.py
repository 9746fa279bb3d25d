"""The tables ``config.<name>`` that the models read beside the raw files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import pyarrow as pa

from pipelines.config.cost_centers import CostCenterRule
from pipelines.config.fx_rates import rates_of
from pipelines.config.invoices import Invoice
from pipelines.config.model import FINALITY_HORIZON, Account, Config, Vendor
from pipelines.config.rate_cards import AMOUNTS, RateCard
from pipelines.sources import documented_fields, streams_of, vendors
from pipelines.warehouse.ledger import past_reads
from transforms.runner.storage import Place

RATING: Mapping[str, pa.DataType] = {
    "price_owner": pa.string(),
    "price_formula": pa.string(),
    "rates_byoa": pa.bool_(),
    "bill_unanswered": pa.bool_(),
    "bill_ringing": pa.bool_(),
    "free_without_charge": pa.bool_(),
}
"""Settings of a vendor's source that say how its price lists are read, and what no
charge means; NULL where a vendor has none."""


@dataclass(frozen=True)
class _Known:
    """An account that is configured, or was and has stored calls."""

    vendor: Vendor
    account: Account
    is_configured: bool


def model_inputs(
    config: Config, now: datetime, raw: Mapping[str, Place]
) -> dict[str, pa.Table]:
    """Return the tables ``config.<name>`` by name.

    ``raw`` are the raw files by vendor: an account that is loaded and no longer
    configured is in the tables, too.
    """
    known = _known(config, raw)
    return {
        "run": _run_settings(config, now),
        "accounts": _accounts(known),
        "streams": _streams(known),
        "rate_cards": _rate_cards(config.rate_cards),
        "cost_centers": _cost_centers(config.cost_centers),
        "invoices": _invoices(config.invoices),
        "vendor_fields": _vendor_fields(),
        "fx_rates": rates_of(config.fx_rates),
    }


def _known(config: Config, raw: Mapping[str, Place]) -> list[_Known]:
    """Return the configured accounts, and those that are loaded but no longer are."""
    known = [
        _Known(vendor, account, is_configured=True)
        for vendor in config.vendors
        for account in vendor.accounts
    ]
    configured = {(one.vendor.name, one.account.alias) for one in known}
    known += [
        _Known(
            Vendor(name, (), lookback=None, finality_horizon=FINALITY_HORIZON),
            Account(name, alias),
            is_configured=False,
        )
        for name, path in raw.items()
        for alias in sorted({read.account for read in past_reads(path)})
        if (name, alias) not in configured
    ]
    return known


def _run_settings(config: Config, now: datetime) -> pa.Table:
    fields: dict[str, pa.DataType] = {
        "now": pa.timestamp("us", tz="UTC"),
        "reporting_time_zone": pa.string(),
        "reporting_currency": pa.string(),
        "service_level_seconds": pa.int64(),
        "min_contained_seconds": pa.int64(),
        "short_abandon_seconds": pa.int64(),
        "phone_numbers": pa.string(),
    }
    row = {
        "now": now,
        "reporting_time_zone": config.reporting_time_zone,
        "reporting_currency": config.reporting_currency,
        "service_level_seconds": config.service_level_seconds,
        "min_contained_seconds": config.min_contained_seconds,
        "short_abandon_seconds": config.short_abandon_seconds,
        "phone_numbers": config.privacy.phone_numbers,
    }
    return pa.Table.from_pylist([row], schema=pa.schema(fields))


def _accounts(known: Sequence[_Known]) -> pa.Table:
    fields: dict[str, pa.DataType] = {
        "vendor": pa.string(),
        "account": pa.string(),
        "currency": pa.string(),
        "time_zone": pa.string(),
        "region": pa.string(),
        "decimal_separator": pa.string(),
        "settle_after": pa.duration("us"),
        **RATING,
    }
    rows: list[dict[str, object]] = [
        {
            "vendor": one.vendor.name,
            "account": one.account.alias,
            "currency": one.account.currency,
            "time_zone": one.account.time_zone,
            "region": one.account.region,
            "decimal_separator": one.account.decimal_separator,
            "settle_after": one.vendor.finality_horizon,
            **{name: getattr(one.account.settings, name, None) for name in RATING},
        }
        for one in known
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def _streams(known: Sequence[_Known]) -> pa.Table:
    """Return how each stream is planned; no limit of requests is NULL."""
    flags = ("is_configured", "is_optional", "is_reference", "is_by_event_time")
    spans = ("lookback", "lag", "settle_after")
    fields: dict[str, pa.DataType] = {
        **dict.fromkeys(("vendor", "account", "stream"), pa.string()),
        **dict.fromkeys(flags, pa.bool_()),
        **dict.fromkeys(spans, pa.duration("us")),
        "daily_requests": pa.int64(),
    }
    rows: list[dict[str, object]] = [
        {
            "vendor": one.vendor.name,
            "account": one.account.alias,
            "stream": stream.name,
            "is_configured": one.is_configured,
            "is_optional": stream.is_optional,
            "is_reference": stream.is_full_refresh,
            "is_by_event_time": stream.is_by_own_time,
            "lookback": stream.lookback_or(one.vendor.lookback),
            "lag": stream.availability_delay,
            "settle_after": one.vendor.finality_horizon,
            "daily_requests": one.account.settings.daily_requests or None,
        }
        for one in known
        for stream in streams_of(one.vendor.name)
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def _rate_cards(cards: Sequence[RateCard]) -> pa.Table:
    text, amount = pa.string(), pa.decimal128(18, 6)
    fields: dict[str, pa.DataType] = {
        **dict.fromkeys(("vendor", "account", "direction", "component"), text),
        "unit": text,
        **dict.fromkeys(AMOUNTS, amount),
        "currency": text,
        **dict.fromkeys(("valid_from", "valid_to"), pa.date32()),
        "overrides": pa.bool_(),
        **dict.fromkeys(("handled_by", "basis"), text),
        "answered_only": pa.bool_(),
    }
    schema = pa.schema(fields)
    return pa.Table.from_pylist([asdict(card) for card in cards], schema=schema)


def _cost_centers(rules: Sequence[CostCenterRule]) -> pa.Table:
    texts = ("vendor", "field", "value", "pattern", "cost_center")
    rows = [{**asdict(rule), "pattern": rule.pattern} for rule in rules]
    fields: dict[str, pa.DataType] = {
        "number": pa.int32(),
        **dict.fromkeys(texts, pa.string()),
    }
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def _invoices(invoices: Sequence[Invoice]) -> pa.Table:
    fields: dict[str, pa.DataType] = {
        "number": pa.int32(),
        **dict.fromkeys(("vendor", "account"), pa.string()),
        "month": pa.date32(),
        "amount": pa.decimal128(18, 6),
        **dict.fromkeys(("currency", "note"), pa.string()),
    }
    rows = [asdict(one) for one in invoices]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def _vendor_fields() -> pa.Table:
    """Return the fields that the vendors document, with what becomes of them."""
    rows = [
        {
            "vendor": vendor,
            "record": one.record,
            "path": one.path,
            "lands": None if one.unused else one.lands,
            "unused": one.unused,
        }
        for vendor in vendors()
        for one in documented_fields(vendor)
    ]
    names = ("vendor", "record", "path", "lands", "unused")
    schema = pa.schema([(name, pa.string()) for name in names])
    return pa.Table.from_pylist(rows, schema=schema)

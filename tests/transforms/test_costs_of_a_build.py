"""What a build may cost, as counts: what it reads whole, opens, and keeps in memory."""

import pytest

from pipelines.commands.build import MODELS
from transforms.runner import memory
from transforms.runner.model import Model, read_model

READS_ALL_CALLS = {
    "dims/dim_agents.sql",
    "dims/dim_dates.sql",
    "dims/dim_queues.sql",
    "intermediate/billing/price_list_months.sql",
    "intermediate/billing/rate_card_months.sql",
    "marts/daily_repeat_calls.sql",
    "marts/dear_calls.sql",
    "marts/invoice_reconciliation.sql",
    "marts/monthly_account_usage.sql",
    "marts/monthly_costs.sql",
    "marts/transaction_reconciliation.sql",
    "marts/vendor_usage.sql",
    "ops/cost_center_rules.sql",
    "ops/missing_rates.sql",
    "ops/settlement_lag.sql",
    "ops/unmapped_values.sql",
}
"""Models that every build computes whole, of all calls that were ever loaded: a night
costs more with each of them, and with each year."""
OPENED = ("from_json(", "json_structure(")
"""Functions that read a payload to its end."""


def every_model() -> list[Model]:
    files = (one for one in MODELS.rglob("*.sql") if one.name.count(".") == 1)
    return [read_model(one, MODELS) for one in files]


def test_no_other_model_reads_the_calls_of_the_whole_history_in_every_build() -> None:
    models = every_model()
    of_calls = {one.table for one in models if one.kind == "call_key"}
    reads_all = {
        one.file
        for one in models
        if one.kind == "table" and of_calls & {found.name for found in one.references}
    }
    assert reads_all == READS_ALL_CALLS


@pytest.mark.parametrize("vendor", ["twin", "voximplant"])
def test_a_record_of_many_is_opened_once_for_its_call_and_once_for_its_fields(
    vendor: str,
) -> None:
    opening = {
        one.file: sum(one.sql.count(function) for function in OPENED)
        for one in every_model()
        if one.file.startswith(f"staging/{vendor}/") or one.name == "field_reads"
    }
    sessions = {"twin": "sessions", "voximplant": "call_sessions"}[vendor]
    own = f"staging/{vendor}/{vendor}__{sessions}.sql"
    assert (opening[own], opening["ops/field_reads.sql"]) == (1, 1)


@pytest.mark.parametrize(
    ("machine", "settings"),
    [
        (512, {"memory_limit": "128MiB", "threads": 1}),
        (3000, {"memory_limit": "750MiB"}),
        (64_000, {"memory_limit": "1024MiB"}),
    ],
)
def test_a_build_gets_a_quarter_of_the_machine_and_no_more_than_it_needs(
    machine: int, settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "machine", lambda: machine)
    assert memory.build_settings() == settings

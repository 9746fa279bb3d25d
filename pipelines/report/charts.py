"""What the report shows: each chart, its query, and how its rows are added up.

The page adds up the rows of a query by ``by``, draws the sums, and shows the same sums
as a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.report import drawings
from pipelines.report.drawings import COST_STATES, MONTH_PARTS, Spec


@dataclass(frozen=True)
class Chart:
    """A chart or a table of a page."""

    page: str
    title: str
    query: str
    """Its file in ``queries``."""
    by: Sequence[str] = ()
    """The columns by which rows are added up; empty: the rows are shown as they are."""
    sums: Sequence[str] = ()
    rates: Mapping[str, tuple[str, str, float]] = field(default_factory=dict)
    """By name: the sums to divide, and what the quotient is multiplied with."""
    spec: Spec | None = None
    """Its drawing in Vega-Lite; None: a table alone."""
    drawn: Sequence[str] = ()
    """The columns of which one must have a value; empty: the rates, else the sums."""
    where: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """The values that a column must have."""
    columns: Sequence[str] = ()
    """Of the rows as they are, the columns of the table; empty: all."""
    count: str = ""
    """The name of a column with the number of rows that were added up; empty: none."""
    known: tuple[str, str, str] | None = None
    """A sum, the part of it that the chart shows, and what the others lack."""
    note: str = ""
    if_empty: str = "There is nothing to show for these filters."
    metrics: Sequence[str] = ()
    """The metrics of ``dim_metrics`` that it shows; of the query ``service``."""


OVERVIEW, SPEND, SERVICE, COMPLETE, CALLS = PAGES = (
    *("Overview", "Spend", "Service", "Is it all there?", "A call"),
)
QUEUE_SUMS = (
    *("calls", "answered_calls", "waited_known_calls", "answered_in_time_calls"),
    *("abandoned_known_calls", "abandoned_calls"),
)
STORY_COLUMNS = (
    *("call_key", "vendor", "started_at", "direction", "outcome", "line_seconds"),
    *("cost_total", "currency", "cost_status"),
)
CHARTS = (
    Chart(
        OVERVIEW,
        "Calls by date",
        "calls",
        by=("call_date", "vendor"),
        sums=("calls", "answered_calls"),
        spec=drawings.CALLS_BY_DAY,
        note="Deleted calls do not count.",
    ),
    Chart(
        OVERVIEW,
        "Spend by date",
        "spend",
        by=("call_date", "currency", "part"),
        sums=("amount",),
        spec=drawings.SPEND_BY_DAY,
        note="Base costs, paid whatever is called, are an equal share on each day of "
        "their month.",
        if_empty="No cost is known.",
    ),
    Chart(
        OVERVIEW,
        "Abandoned, counted in each way",
        "service",
        metrics=("abandonment", "short_abandonment"),
        spec=drawings.RATES,
        note="Inbound calls given up before an answer.",
    ),
    Chart(
        OVERVIEW,
        "What is not all there",
        "coverage",
        by=("vendor", "account", "stream", "state"),
        count="days",
        where={"state": ("partial", "missing", "unreachable"), "is_required": (True,)},
        note="UTC days that are over, of lists that a day needs.",
        if_empty="No day that is over is missing, or stored in part.",
    ),
    Chart(
        SPEND,
        "Spend by component",
        "spend",
        by=("currency", "component"),
        sums=("amount",),
        spec=drawings.bars("component", "amount", row="currency"),
        if_empty="No cost is known.",
    ),
    Chart(
        SPEND,
        "Spend by vendor and account",
        "spend",
        by=("currency", "vendor", "account"),
        sums=("amount",),
        spec=drawings.bars("vendor", "amount", row="currency"),
        if_empty="No cost is known.",
    ),
    Chart(
        SPEND,
        "Spend by cost center",
        "spend",
        by=("currency", "cost_center"),
        sums=("amount",),
        where={"part": ("usage",)},
        spec=drawings.bars("cost_center", "amount", row="currency"),
        note="Of calls, without base costs. unknown: no rule of cost_centers.csv fits.",
        if_empty="No cost is known.",
    ),
    Chart(
        SPEND,
        "Calls by the state of their cost",
        "calls",
        by=("vendor",),
        sums=(*COST_STATES, "due_calls"),
        spec=drawings.shares(
            "vendor",
            "value",
            drawings.colour("kind", COST_STATES),
            drawings.fold(COST_STATES),
        ),
        known=("due_calls", "final_calls", "have a cost that can still change"),
        if_empty="No call costs anything.",
    ),
    Chart(
        SPEND,
        "Spend in the reporting currency",
        "calls",
        by=("call_date",),
        sums=("cost_reporting", "priced_calls", "converted_calls"),
        spec=drawings.CONVERTED_BY_DAY,
        drawn=("cost_reporting",),
        known=("priced_calls", "converted_calls", "have no exchange rate: left out"),
        note="Of calls that are not deleted, without base costs.",
        if_empty="No cost is known in the reporting currency.",
    ),
    Chart(
        SPEND,
        "Spend by month",
        "months",
        by=("month", "currency"),
        sums=(*MONTH_PARTS, "cost_all_in", "due_calls", "final_calls"),
        spec=drawings.MONTHS,
        drawn=(*MONTH_PARTS,),
        known=("due_calls", "final_calls", "have a cost that can still change"),
        if_empty="No cost is known.",
    ),
    Chart(
        SPEND,
        "Invoices against calls",
        "invoices",
        by=("month", "vendor", "account", "currency"),
        sums=("expected", "invoiced", "difference", "pending_calls"),
        spec=drawings.INVOICES,
        drawn=(*drawings.BILLED,),
        note="By UTC month. unknown: no line of invoices.csv is of it. "
        "callhouse bill VENDOR MONTH says what may explain a difference.",
        if_empty="There is neither a cost nor an invoice.",
    ),
    Chart(
        SPEND,
        "Who pays, the ten largest of each vendor",
        "payers",
        by=("currency", "vendor", "payer_kind", "payer"),
        sums=("amount", "calls", "not_final_calls"),
        spec=drawings.bars("payer", "amount", row="currency"),
        if_empty="No vendor here says who pays.",
    ),
    Chart(
        SPEND,
        "Dearest calls of each currency",
        "stories",
        where={"is_dearest": (True,)},
        columns=STORY_COLUMNS,
        if_empty="No call here has a cost, or [report] calls is 0.",
    ),
    Chart(
        SPEND,
        "Currencies without an exchange rate",
        "missing_rates",
        note="callhouse fx import FILE brings rates.",
        if_empty="Every cost has an exchange rate.",
    ),
    Chart(
        SERVICE,
        "What became of the calls",
        "outcomes",
        by=("vendor", "outcome"),
        sums=("calls",),
        spec=drawings.shares(
            "vendor", "calls", drawings.colour("outcome", drawings.OUTCOMES)
        ),
    ),
    Chart(
        SERVICE,
        "Service level by date",
        "service",
        by=("call_date",),
        sums=("answered_in_time_calls", "waited_known_calls", "queued_calls"),
        rates={
            "percent_in_time": ("answered_in_time_calls", "waited_known_calls", 100)
        },
        spec=drawings.line("percent_in_time", "percent"),
        known=("queued_calls", "waited_known_calls", "have no known wait: left out"),
        note="Of all queued calls whose wait is known, those answered in time.",
        if_empty="No vendor here says how long calls waited.",
    ),
    Chart(
        SERVICE,
        "Wait until the answer by date",
        "service",
        by=("call_date",),
        sums=("answered_queue_seconds", "answered_waited_calls"),
        rates={"mean_wait": ("answered_queue_seconds", "answered_waited_calls", 1)},
        spec=drawings.line("mean_wait", "seconds"),
        note="Mean wait in queues of the answered calls that waited.",
        if_empty="No vendor here says how long calls waited.",
    ),
    Chart(
        SERVICE,
        "Handle time by date",
        "service",
        by=("call_date",),
        sums=("handle_seconds", "handled_calls"),
        rates={"mean_handle_time": ("handle_seconds", "handled_calls", 1)},
        spec=drawings.line("mean_handle_time", "seconds"),
        note="Mean of the calls whose handle time is known.",
        if_empty="No vendor here says how long calls were handled.",
    ),
    Chart(
        SERVICE,
        "When people call",
        "hours",
        by=("weekday", "hour"),
        sums=("calls", "known_calls", "abandoned_calls"),
        rates={"percent_abandoned": ("abandoned_calls", "known_calls", 100)},
        spec=drawings.HOURS,
        note="Calls by hour and weekday (1 is Monday) of the reporting time zone.",
    ),
    Chart(
        SERVICE,
        "Queues, the twenty with most calls",
        "queues",
        by=("vendor", "queue"),
        sums=QUEUE_SUMS,
        rates={
            "percent_in_time": ("answered_in_time_calls", "waited_known_calls", 100),
            "percent_abandoned": ("abandoned_calls", "abandoned_known_calls", 100),
        },
        spec=drawings.bars("queue", "calls"),
        if_empty="No vendor here names queues.",
    ),
    Chart(
        SERVICE,
        "Agents, the twenty with most calls",
        "agents",
        by=("vendor", "account", "agent_name", "is_bot"),
        sums=("calls", "offered_calls"),
        spec=drawings.bars("agent_name", "calls"),
        note="Calls that they handled, of all that is stored. Without a name: the "
        "vendor's number of the agent.",
        if_empty="No vendor here names agents.",
    ),
    Chart(
        SERVICE,
        "Every rate, counted in each way",
        "service",
        metrics=("*",),
        note="known: the denominator, beside all calls of these filters.",
    ),
    Chart(
        COMPLETE,
        "Days that are stored, by stream",
        "coverage",
        by=("vendor", "account", "stream", "day", "state"),
        sums=("records",),
        spec=drawings.COVERAGE,
        note="UTC days. unreachable: the vendor no longer serves it.",
        if_empty="No day was loaded.",
    ),
    Chart(
        COMPLETE,
        "The vendors' totals against what was read",
        "reconciliation",
        by=("vendor", "account", "stream", "verdict"),
        sums=("windows", "records"),
        spec=drawings.shares(
            "where",
            "windows",
            drawings.colour("verdict", drawings.VERDICTS),
            {"calculate": drawings.STREAM, "as": "where"},
        ),
        note="Windows of all that is stored.",
        if_empty="No window was read.",
    ),
    Chart(
        COMPLETE,
        "How late calls still change",
        "settlement",
        spec=drawings.SETTLEMENT,
        drawn=(*drawings.LAGS,),
        note="The grey mark: for how long a call is read again.",
        if_empty="No call was watched long enough to know.",
    ),
    Chart(
        COMPLETE,
        "Fields that changed",
        "drift",
        note="callhouse status says them, too.",
        if_empty="No field of a vendor's records is new, gone or of another type.",
    ),
    Chart(
        COMPLETE,
        "Records that could not be read",
        "quarantine",
        note="callhouse quarantine show has the records.",
        if_empty="Every record could be read.",
    ),
    Chart(
        COMPLETE,
        "Values that have no mapping",
        "unmapped",
        note="ops.unmapped_values has the values.",
        if_empty="Every value is mapped.",
    ),
    Chart(
        COMPLETE,
        "The last runs",
        "runs",
        note="A line for each vendor, and one for the build if it failed.",
        if_empty="Nothing was run.",
    ),
)

"""How charts are drawn, in Vega-Lite, without the rows, the width and the theme.

A colour means the same in every chart; all are of Okabe and Ito's palette, which people
with any colour vision can tell apart.
"""

from collections.abc import Mapping
from typing import Any

GOOD, APART, EARLY, LATER = "#0072B2", "#009E73", "#56B4E9", "#E69F00"
LOST, ASIDE, UNKNOWN = "#D55E00", "#CC79A7", "#8C8C8C"
OUTCOMES = {
    "answered": GOOD,
    "contained": APART,
    "voicemail": EARLY,
    "not taken": LATER,
    "abandoned": LOST,
    "not put through": ASIDE,
    "unknown or open": UNKNOWN,
}
COST_STATES = {"final_calls": GOOD, "provisional_calls": EARLY, "pending_calls": LATER}
PARTS = {"usage": GOOD, "base": APART}
MONTH_PARTS = {"cost_usage": GOOD, "cost_base": APART}
BILLED = {"expected": GOOD, "invoiced": APART}
DAY_STATES = {
    "complete": GOOD,
    "partial": LATER,
    "missing": LOST,
    "unreachable": ASIDE,
    "not over": UNKNOWN,
}
VERDICTS = {
    "matched": GOOD,
    "no_total": EARLY,
    "vendor_counts_more": LATER,
    "mismatched": LOST,
    "not_read": UNKNOWN,
}
LAGS = {"lag_p50_hours": GOOD, "lag_p90_hours": EARLY, "lag_p99_hours": LATER}
Spec = Mapping[str, Any]
WEEKDAYS = "Mon Tue Wed Thu Fri Sat Sun"
STREAM = "datum.vendor + ' ' + datum.account + ' ' + datum.stream"


def _day(field_name: str = "call_date") -> Spec:
    return {
        "field": field_name,
        "timeUnit": "utcyearmonthdate",
        "type": "temporal",
        "scale": {"type": "utc"},
        "title": None,
        "axis": {
            "format": "%d %b",
            "labelOverlap": "greedy",
            "labelSeparation": 6,
            "grid": False,
        },
    }


def _amount(name: str, title: str | None = None, **more: Any) -> Spec:  # noqa: ANN401 - Vega-Lite's
    return {"field": name, "type": "quantitative", "title": title, **more}


def _name(name: str, **more: Any) -> Spec:  # noqa: ANN401 - Vega-Lite's
    return {"field": name, "type": "nominal", "title": None, **more}


def _row(name: str) -> Spec:
    header = {"labelOrient": "top", "labelAnchor": "start", "title": None}
    return {"field": name, "type": "nominal", "header": header, "spacing": 8}


def colour(name: str, colours: Mapping[str, str]) -> Spec:
    """Return the colours of the values of a column, with a legend above."""
    scale = {"domain": [*colours], "range": [*colours.values()]}
    legend = {"orient": "top", "title": None}
    return {"field": name, "type": "nominal", "scale": scale, "legend": legend}


def fold(names: Mapping[str, str]) -> Spec:
    """Return what makes a row of each of these columns: its kind and its value."""
    return {"fold": [*names], "as": ["kind", "value"]}


def bars(y: str, x: str, row: str = "") -> Spec:
    """Return horizontal bars, the longest first, a part for each value of ``row``."""
    encoding: dict[str, Any] = {"y": _name(y, sort="-x"), "x": _amount(x)}
    spec = {"mark": {"type": "bar", "color": GOOD}, "height": {"step": 18}}
    if not row:
        return {**spec, "encoding": encoding}
    encoding["row"] = _row(row)
    resolve = {"scale": {"x": "independent", "y": "independent"}}
    return {**spec, "encoding": encoding, "resolve": resolve}


def shares(y: str, x: str, colour: Spec, *transform: Spec) -> Spec:
    """Return horizontal bars of one length, cut by the shares of what they add up."""
    return {
        "transform": [*transform],
        "mark": "bar",
        "height": {"step": 22},
        "encoding": {
            "y": _name(y),
            "x": _amount(x, stack="normalize", axis={"format": "%"}),
            "color": colour,
        },
    }


def line(rate: str, title: str) -> Spec:
    """Return a rate by date."""
    return {
        "mark": {"type": "line", "point": True, "color": GOOD},
        "height": 150,
        "encoding": {"x": _day(), "y": _amount(rate, title)},
    }


SPEND_BY_DAY: Spec = {
    "mark": "bar",
    "height": 110,
    "encoding": {
        "x": _day(),
        "y": _amount("amount"),
        "color": colour("part", PARTS),
        "row": _row("currency"),
    },
    "resolve": {"scale": {"y": "independent"}},
}
CALLS_BY_DAY: Spec = {
    "mark": {"type": "bar", "color": GOOD},
    "height": 56,
    "encoding": {
        "x": _day(),
        "y": _amount("calls", axis={"tickCount": 3}),
        "row": _row("vendor"),
    },
}
CONVERTED_BY_DAY: Spec = {
    "mark": {"type": "bar", "color": GOOD},
    "height": 130,
    "encoding": {"x": _day(), "y": _amount("cost_reporting")},
}
MONTHS: Spec = {
    "transform": [fold(MONTH_PARTS)],
    "mark": "bar",
    "height": 110,
    "encoding": {
        "x": _name("month", axis={"labelAngle": 0}),
        "y": _amount("value"),
        "color": colour("kind", MONTH_PARTS),
        "row": _row("currency"),
    },
    "resolve": {"scale": {"y": "independent"}},
}
INVOICES: Spec = {
    "transform": [fold(BILLED), {"filter": "isValid(datum.value)"}],
    "mark": "bar",
    "height": 110,
    "encoding": {
        "x": _name("month", axis={"labelAngle": 0}),
        "xOffset": {"field": "kind", "sort": [*BILLED]},
        "y": _amount("value", aggregate="sum"),
        "color": colour("kind", BILLED),
        "row": _row("currency"),
    },
    "resolve": {"scale": {"y": "independent"}},
}
HOURS: Spec = {
    "mark": "rect",
    "height": 7 * 22,
    "encoding": {
        "x": _name(
            "hour",
            scale={"domain": [*range(24)]},
            axis={"labelAngle": 0, "labelOverlap": True},
        ),
        "y": _name(
            "weekday",
            scale={"domain": [*range(1, 8)]},
            axis={"labelExpr": f"split('{WEEKDAYS}', ' ')[datum.value - 1]"},
        ),
        "color": {
            "field": "calls",
            "type": "quantitative",
            "scale": {"scheme": "blues"},
            "legend": {"orient": "top", "title": None},
        },
    },
}
COVERAGE: Spec = {
    "transform": [{"calculate": STREAM, "as": "where"}],
    "mark": {"type": "rect", "stroke": None},
    "height": {"step": 16},
    "encoding": {
        "x": _day("day"),
        "y": _name("where"),
        "color": colour("state", DAY_STATES),
    },
}
SETTLEMENT: Spec = {
    "transform": [
        {"calculate": "datum.vendor + ' ' + datum.account", "as": "where"},
        fold(LAGS),
        {"filter": "isValid(datum.value)"},
    ],
    "height": {"step": 22},
    "layer": [
        {
            "mark": {"type": "point", "filled": True, "size": 70},
            "encoding": {
                "x": _amount("value", "hours after the end of the call"),
                "color": colour("kind", LAGS),
            },
        },
        {
            "transform": [{"calculate": "24 * datum.lookback_days", "as": "lookback"}],
            "mark": {"type": "tick", "thickness": 2, "color": UNKNOWN},
            "encoding": {"x": _amount("lookback")},
        },
    ],
    "encoding": {"y": _name("where")},
}
RATES: Spec = {
    "mark": {"type": "bar", "color": LOST},
    "height": {"step": 18},
    "encoding": {
        "y": _name("variant", sort=None),
        "x": _amount("value", "percent"),
    },
}

"""The options that several commands have, and those of backfill, with their help."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

CONFIG = Path("config")
AGE = re.compile(r"([1-9]\d{0,5})([mhd])")
DAY = "YYYY-MM-DD"
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


def _folder(context: typer.Context, parameter: typer.CallbackParam, at: Path) -> Path:
    """Return the absolute path of the configuration folder, named or found."""
    from pipelines.config.loader import config_folder

    source = context.get_parameter_source(parameter.name or "")
    is_named = source is not None and source.name != "DEFAULT"
    own = Path(typer.get_app_dir("callhouse"))
    return config_folder(at if is_named else None, own)


def _day(text: str) -> datetime:
    """Return a day that is written as YYYY-MM-DD, as the midnight it begins with."""
    found = _DAY.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a day; write it as 2026-01-31")
    year, month, day = map(int, found.groups())
    try:
        return datetime(year, month, day)  # noqa: DTZ001 - `utc` makes it one of UTC
    except ValueError:
        pass
    try:
        name = f"{day} {datetime(year, month, 1):%B} {year}"  # noqa: DTZ001
    except ValueError:
        raise typer.BadParameter(f"{text!r}: there is no month {month}") from None
    raise typer.BadParameter(f"{text!r}: there is no {name}")


def _moment(text: str) -> datetime:
    """Return a day, or a time with seconds and a zone."""
    if "T" not in text:
        return _day(text)
    midnight, rest = _day(text.partition("T")[0]), text.partition("T")[2]
    if re.fullmatch(r"\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:?\d{2})", rest):
        try:
            return datetime.fromisoformat(f"{midnight:%Y-%m-%d}T{rest}")
        except ValueError:
            pass
    raise typer.BadParameter(
        f"{text!r} is not a time; write it as 2026-01-31T03:00:00Z"
    )


VendorNames = Annotated[
    list[str] | None,
    typer.Option("--vendor", metavar="NAME", help="Only this vendor; can be repeated."),
]
AccountNames = Annotated[
    list[str] | None,
    typer.Option("--account", help="Only accounts of this name; can be repeated."),
]
Now = Annotated[
    datetime | None,
    typer.Option(
        parser=_moment,
        metavar="TIME",
        help="Take this time, in UTC, instead of the machine's clock: 2026-01-31, or "
        "2026-01-31T03:00:00Z.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print all counts as well.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only what is wrong.")]
Full = Annotated[
    bool, typer.Option("--full", help="Rebuild every call, not only the changed ones.")
]
Folder = Annotated[
    Path,
    typer.Option(
        "--config",
        envvar="CALLHOUSE_CONFIG",
        callback=_folder,
        show_default="config here, then the user's configuration folder",
        help="The folder of config.toml and secrets.toml.",
    ),
]
Sandbox = Annotated[
    bool,
    typer.Option(
        "--sandbox", help="Load invented calls from the bundled sandbox vendors."
    ),
]
World = Annotated[
    Literal["friendly", "hostile"],
    typer.Option(
        help="What the sandbox vendors have: plausible calls, or, as for tests, also "
        "what a vendor may get wrong in a record.",
    ),
]
FRIENDLY: Literal["friendly"] = "friendly"
SandboxIfUnconfigured = Annotated[
    bool,
    typer.Option(
        "--sandbox-if-unconfigured",
        help="As --sandbox, if no vendor is configured and there is no secrets.toml; "
        "make run uses this.",
    ),
]
DbtNames = Annotated[
    Literal["own", "dbt"],
    typer.Option(
        "--names",
        help="What models are called: fact_calls as here, or fct_calls as dbt "
        "recommends, with stg_, int_ and dim_.",
    ),
]
ForgetHistory = Annotated[
    bool,
    typer.Option(
        "--forget-history",
        help="If a raw file is missing or lacks loads: delete the calls that are only "
        "in the tables, and cannot be built again.",
    ),
]
NoAudit = Annotated[
    bool,
    typer.Option(
        "--no-audit", help="Do not compare older windows with the vendors' totals."
    ),
]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--from", parser=_day, metavar=DAY, help="The first UTC day; default: all."
    ),
]
OnlySince = Annotated[
    datetime | None,
    typer.Option(
        "--from",
        parser=_day,
        metavar=DAY,
        help="Load this UTC day and those after it, instead of what a run would.",
    ),
]
FirstDay = Annotated[
    datetime,
    typer.Option("--from", parser=_day, metavar=DAY, help="The first UTC day."),
]
LastDay = Annotated[
    datetime | None,
    typer.Option(
        "--to", parser=_day, metavar=DAY, help="The last UTC day; default: today."
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Only estimate requests, records and time; store nothing."
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Read again also the days that are stored."),
]
ConfirmDeletions = Annotated[
    bool,
    typer.Option(
        "--confirm-deletions",
        help="Mark the calls of these days as deleted that the vendor does not list, "
        "without further proof. Needs --force.",
    ),
]
OldestFirst = Annotated[
    bool,
    typer.Option("--oldest-first", help="Start with the oldest day, not the newest."),
]


def _duration(text: str) -> timedelta:
    """Return a duration such as 30h, 90m or 2d."""
    found = AGE.fullmatch(text)
    unit = {"m": "minutes", "h": "hours", "d": "days"}.get(found[2]) if found else None
    if found is None or unit is None:
        raise typer.BadParameter(f"{text!r} is not a duration; write 30h, 90m or 2d")
    return timedelta(**{unit: int(found[1])})


MaxAge = Annotated[
    timedelta | None,
    typer.Option(
        "--max-age",
        parser=_duration,
        metavar="DURATION",
        show_default="[notify] max_age_hours",
        help="A build older than this is stale, such as 30h or 2d.",
    ),
]


def utc(now: datetime | None) -> datetime:
    """Return a time in UTC; one without a zone is UTC already, and None is now."""
    if now is None:
        return datetime.now(UTC)
    return now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)

"""The options that several commands have, with their help."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

VendorNames = Annotated[
    list[str] | None,
    typer.Option("--vendor", help="Only this vendor; may be given several times."),
]
AccountNames = Annotated[
    list[str] | None,
    typer.Option("--account", help="Only accounts of this name."),
]
Now = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"],
        help="The clock, in UTC, for a run as of another time.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="For a machine, on stdout.")]
Full = Annotated[bool, typer.Option("--full", help="Build every call again.")]


def _folder(context: typer.Context, parameter: typer.CallbackParam, at: Path) -> Path:
    """Return the whole path of the folder that was named, or is found."""
    from pipelines.config.loader import config_folder  # noqa: PLC0415

    source = context.get_parameter_source(parameter.name or "")
    is_named = source is not None and source.name != "DEFAULT"
    own = Path(typer.get_app_dir("callhouse"))
    return config_folder(at if is_named else None, own)


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
ForgetHistory = Annotated[
    bool,
    typer.Option(
        "--forget-history",
        help="Where a raw file is gone or lacks loads, give up the calls that only "
        "the tables still have.",
    ),
]
NoAudit = Annotated[
    bool,
    typer.Option(
        "--no-audit", help="Do not ask the vendors to count what is stored already."
    ),
]
CONFIG = Path("config")


def utc(now: datetime | None) -> datetime:
    """Return a time in UTC, in which one without a zone is; None: now."""
    if now is None:
        return datetime.now(UTC)
    return now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)

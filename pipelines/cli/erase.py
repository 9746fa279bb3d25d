"""The ``callhouse erase`` command: erase a person from the warehouse."""

import sys
from typing import Annotated

import typer

from pipelines.cli.command_steps import answer, narrated, tell_places
from pipelines.cli.endings import refusals
from pipelines.cli.parameters import CONFIG, AsJson, Folder, Now, utc


def erase(
    person: Annotated[
        str,
        typer.Argument(
            metavar="NUMBER|CALL_KEY",
            help="A phone number, a SIP address, or vendor:account:id as in "
            "fact_calls.call_key; - reads it from standard input.",
        ),
    ],
    region: Annotated[
        str | None,
        typer.Option(help="The country of a number in national form, such as DE."),
    ] = None,
    now: Now = None,
    *,
    name: Annotated[
        bool,
        typer.Option("--name", help="It is a name, exactly as vendors write it."),
    ] = False,
    lift: Annotated[
        bool,
        typer.Option(
            "--lift",
            help="Store later calls of a number again; what is erased stays so.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count the calls; change nothing.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            help="Erase more than 500 calls as well, and where there is no file yet.",
        ),
    ] = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Erase a person from every file of the warehouse.

    Numbers, names, texts and recording links of their calls are deleted, in raw files,
    tables and snapshots; costs, durations and counts stay. A list of MACs keeps later
    loads from bringing them back. If it is interrupted, the next run or transform
    finishes it.
    """
    from pipelines.cli.erase_view import as_json, show_erasure, show_lifted
    from pipelines.commands.erase import erase as erased
    from pipelines.commands.erase import lift as lifted
    from pipelines.commands.erase import person_of
    from pipelines.config.loader import read_config

    with refusals(), narrated():
        settings = read_config(config)
        tell_places(config, settings)
        given = sys.stdin.readline() if person == "-" else person
        who = person_of(given, region and region.upper(), is_name=name)
        if lift:
            show_lifted(is_listed=lifted(settings, who))
            return
        done = erased(settings, utc(now), who, dry_run=dry_run, confirmed=yes)
    answer(done, as_json, show_erasure, json=json)

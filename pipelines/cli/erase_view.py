"""What ``callhouse erase`` prints: counts, never the number."""

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pipelines.commands.erase import Erasure


def as_json(found: "Erasure") -> dict[str, Any]:
    """Return an erasure as one object."""
    calls = [
        {"vendor": vendor, "account": account, "calls": count}
        for (vendor, account), count in found.calls.items()
    ]
    return {
        "erased": found.is_done,
        "calls": calls,
        "files_searched": found.searched,
        "unsure": [
            {"vendor": vendor, "account": account, "calls": count}
            for (vendor, account), count in found.unsure.items()
        ],
    }


def show_erasure(found: "Erasure") -> None:
    """Print how many calls of which accounts were erased, or would be."""
    for (vendor, account), count in found.calls.items():
        typer.echo(f"{vendor} {account}: {_calls(count)}")
    for (vendor, account), count in found.unsure.items():
        typer.echo(
            f"{vendor} {account}: {_calls(count)} not concerned, with the number in "
            f"its national form: set region in [sources.{vendor}] if the account's "
            "numbers are of that country, and repeat this; or erase each by its key"
        )
    if not found.is_done:
        typer.echo(f"to erase: {_calls(found.total)}; nothing was changed")
        return
    typer.echo(f"erased: {_calls(found.total)}, also in later loads")
    if found.searched:
        typer.echo(f"the number is in none of {found.searched} files of the warehouse")
    typer.echo(
        "Backups and copies outside the warehouse still have it: delete those that "
        "are older than this."
    )


def show_lifted(*, is_listed: bool) -> None:
    """Print what lifting did."""
    typer.echo(
        "Calls that come later are stored as they come; what was erased stays erased."
        if is_listed
        else "It was not on the list; nothing was changed."
    )


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"

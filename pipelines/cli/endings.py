"""End a command with an exit code, and every error with one sentence.

The codes and their meanings are in docs/exit-codes.md.
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from pipelines.commands.run import RunResult

REFUSED, CHECK_FAILED, WRONG_QUERY, INTERRUPTED, NOBODY_READS = 2, 3, 4, 130, 141


class Commands(TyperGroup):
    """The commands; no error of any of them ends in a traceback."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - as typer's
        """Run a command as typer does, and print unexpected errors."""
        _prepare_output()
        with _failures():
            return super().main(*args, **extra)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as typer's
        """Run a command and write out what it printed."""
        with refusals():
            try:
                return super().invoke(ctx)
            finally:
                _write_out()


@contextmanager
def refusals() -> Iterator[None]:
    """Print the errors that end a command as one sentence, and exit."""
    from pipelines.config.toml_file import ConfigError
    from pipelines.sources import SourceError
    from pipelines.warehouse.locks import LockedError
    from pipelines.warehouse.opening import FileError
    from pipelines.warehouse.publish import PublishError
    from transforms.runner.checks import CheckFailed
    from transforms.runner.parsing import ModelError

    try:
        yield
    except (ConfigError, SourceError, LockedError, ModelError, FileError) as error:
        say(error)
        raise typer.Exit(REFUSED) from None
    except PublishError as error:
        say(error)
        raise typer.Exit(CHECK_FAILED) from None
    except CheckFailed as error:
        from pipelines.cli.tables import show_bad_rows

        say(error)
        show_bad_rows([dict(row) for row in error.rows])
        typer.echo(
            "Nothing was published; analysts still read the last published file.",
            err=True,
        )
        raise typer.Exit(CHECK_FAILED) from None
    except BrokenPipeError:
        _write_nowhere(sys.stdout, sys.stderr)
        raise typer.Exit(NOBODY_READS) from None
    except KeyboardInterrupt:
        say("interrupted")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _failures() -> Iterator[None]:
    """Turn any other error into one sentence and an exit code."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - one sentence and a report file
        from pipelines.load.failure import failure_of

        failure = failure_of(error)
        say(failure.sentence)
        sys.exit(failure.exit_code)


def _write_out() -> None:
    """Flush what was printed, so that a full disk is an error of the command."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _write_nowhere(sys.stdout)
        raise OSError(error.errno, error.strerror, "standard output") from None


def _write_nowhere(*streams: TextIO) -> None:
    """Discard what is not written yet; Python would try to write it at its end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nothing, stream.fileno())
    os.close(nothing)


def _prepare_output() -> None:
    """Escape characters that the encoding lacks; write nowhere if output is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(sentence: object) -> None:
    """Print a sentence with control characters escaped, except line ends."""
    from pipelines.extract.errors import escaped

    lines = map(escaped, str(sentence).split("\n"))
    # Where it cannot be written, the exit code alone says it.
    with suppress(OSError):
        typer.echo("callhouse: " + "\n".join(lines), err=True)


def exit_code(result: "RunResult") -> int:
    """Return the exit code of a run, a load or a backfill."""
    if any(outcome.is_blocked for outcome in result.outcomes):
        return REFUSED
    return 0 if result.is_complete else 1

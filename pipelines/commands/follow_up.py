"""What follows a run: metrics, messages to services, the heartbeat, and spans.

None of it can take a run down: what fails is a sentence, and comes again with the next
run or with `callhouse notify`.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from pipelines.commands.incidents import all_incidents
from pipelines.commands.metrics import write_metrics
from pipelines.commands.notify import beat, tell
from pipelines.commands.run import RunResult
from pipelines.commands.traces import send_traces
from pipelines.config.model import Config
from pipelines.config.toml_file import ConfigError
from pipelines.load.failure import failure_of
from pipelines.warehouse.locks import LockedError
from pipelines.warehouse.opening import FileError


def follow_up(config: Config, now: datetime, *, beats: bool) -> list[str]:
    """Do what is configured; return a sentence for each thing that went wrong.

    ``beats``: a whole run was complete, so that the heartbeat is requested.
    """
    operation = config.operation
    troubles: list[str] = []

    def _tell() -> None:
        max_age = timedelta(hours=operation.notify.max_age_hours)
        found, status = all_incidents(config, now, max_age)
        for trouble in _troubles(lambda: write_metrics(config, found, status)):
            troubles.append(f"metrics: {trouble}")
        if operation.notify.services:
            troubles.extend(tell(config, found).failed)

    if operation.notify.services or operation.metrics.textfile:
        troubles += _troubles(_tell)
    if beats and (trouble := beat(config)):
        troubles.append(trouble)
    return troubles


def trace_run(
    command: str, result: RunResult, began: datetime, ended: datetime
) -> list[str]:
    """Send the spans of a run where a collector is named; return what went wrong."""
    troubles: list[str] = []

    def _send() -> None:
        if trouble := send_traces(command, result, began, ended):
            troubles.append(trouble)

    return [*_troubles(_send), *troubles]


def _troubles(work: Callable[[], None]) -> Iterator[str]:
    """Do something, and yield what went wrong."""
    try:
        work()
    except (ConfigError, FileError, LockedError) as error:
        yield str(error)
    except Exception as error:  # noqa: BLE001 - the run that is over stays as it is
        yield failure_of(error).sentence

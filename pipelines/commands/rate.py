"""``callhouse rate``: what days would cost under other rate cards.

The vendors that the cards name are built anew from their raw files in a temporary
folder, and compared with the published tables. Nothing in the warehouse changes.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.commands.build import MODELS, open_model_inputs
from pipelines.config.model import Config
from pipelines.config.rate_cards import RateCard, read_rate_cards
from pipelines.config.toml_file import ConfigError
from pipelines.warehouse.opening import (
    PUBLISHED_FILE,
    FileError,
    attached,
    private,
    read,
)
from pipelines.warehouse.published_queries import Row, rows_of, rows_of_result
from pipelines.warehouse.queries import query
from transforms.runner.build import build


def read_cards(config: Config, file: Path) -> tuple[RateCard, ...]:
    """Return the cards of a file; raises `ConfigError` as for rate_cards.toml.

    Raises it also for a file that is not there or has no card.
    """
    if not file.is_file():
        raise ConfigError(f"--card: there is no file {file}")
    aliases = {one.name: [own.alias for own in one.accounts] for one in config.vendors}
    cards = read_rate_cards(file, aliases)
    if not cards:
        raise ConfigError(f"{file} has no [[rate_card]]; write one, as in the example")
    return cards


def rate(
    config: Config, cards: Sequence[RateCard], first: date, last: date
) -> list[Row]:
    """Return what the calls of the UTC days cost and would cost, as of the tables.

    The rows are by month, vendor, account and currency. The cards stand in the place
    of all that are configured; only their accounts are compared. Raises `ConfigError`
    if ``last`` is before ``first``, or if a vendor of the cards is not loaded, and
    `FileError` if its raw file cannot be read.
    """
    if last < first:
        raise ConfigError(f"--from {first} lies after --to {last}; swap them")
    published = config.warehouse.tables
    (as_of,) = (row["as_of"] for row in rows_of(published, "as_of"))
    other = replace(config, rate_cards=tuple(cards))
    with TemporaryDirectory(prefix="callhouse-rate-") as folder, private():
        rated = Path(folder) / "rated.duckdb"
        with open_model_inputs(other, as_of) as inputs:
            named = sorted({card.vendor for card in cards})
            for name in named:
                if name in inputs.unreadable:
                    raise FileError(inputs.unreadable[name])
                if name not in inputs.raw:
                    raise ConfigError(
                        f"nothing of {name} is stored, so there is nothing to rate; "
                        "run: callhouse run"
                    )
            raw = {name: inputs.raw[name] for name in named}
            build(rated, MODELS, raw, inputs.context)
        with (
            read(published, PUBLISHED_FILE) as tables,
            attached(tables, rated, "rated", PUBLISHED_FILE),
        ):
            tables.execute("set TimeZone = 'UTC'")
            for name, day in (("first_day", first), ("last_day", last)):
                tables.execute(f"set variable {name} = $1", [day])
            found = tables.execute(query("published/rate_comparison"))
            return rows_of_result(found)

"""Read a CSV file of the configuration, line by line."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.config.toml_file import ConfigError


def read_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the stripped cells of each line that is not empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            for cells in lines:
                stripped = [cell.strip() for cell in cells]
                if any(stripped):
                    yield lines.line_num, stripped
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"{path} is not a CSV file ({error}); save it as CSV in UTF-8, unzipped"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def read_header(
    lines: Iterator[tuple[int, list[str]]], path: Path, columns: Sequence[str]
) -> int:
    """Take the first of a file's lines, and return its number.

    Raises `ConfigError` if it does not name the columns.
    """
    number, header = next(lines, (1, []))
    if header != [*columns]:
        raise ConfigError(
            f"{path} line {number}: the columns must be {','.join(columns)}, not "
            f"{','.join(header)!r}; put them so, separated by commas"
        )
    return number

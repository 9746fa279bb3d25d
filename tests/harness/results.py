"""A file of results, by which what takes hours can be stopped and continued."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_results(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def write_results(file: Path, results: Mapping[str, Any]) -> None:
    """Replace the file at once: a half of it could not be read again."""
    incoming = file.with_name(f"{file.name}.incoming")
    incoming.write_text(json.dumps(results, indent=1))
    incoming.replace(file)

"""Write the models as a dbt project."""

import os
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from importlib.resources import files
from math import ceil
from pathlib import Path

from pipelines.commands.build import MODELS, open_model_inputs
from pipelines.config.lake import refuse_on_lake
from pipelines.config.model import Config
from pipelines.config.toml_file import ConfigError
from transforms.export.dbt import ProjectInputs, project
from transforms.export.dbt_names import Style
from transforms.runner.graph import read_graph
from transforms.runner.inputs import attach
from transforms.runner.parsing import references
from transforms.runner.storage import connect

MARK = ".callhouse-export"
"""The file that lists an export's files; the next export may replace or delete them."""


def export_to_dbt(
    config: Config, now: datetime, folder: Path, style: Style = "own"
) -> int:
    """Write a dbt project into ``folder``; return how many files it has.

    Raises `ConfigError` and writes nothing if ``folder`` has files that are not of an
    earlier export, or if nothing is loaded yet.
    """
    instead = "copy the warehouse back into files first"
    refuse_on_lake(config.warehouse, "callhouse export dbt", instead)
    _refuse_occupied(folder)
    with open_model_inputs(config, now) as inputs:
        raw, context = inputs.raw, inputs.context
        if inputs.unreadable:
            raise ConfigError("; ".join(inputs.unreadable.values()))
        if not raw:
            raise ConfigError(
                f"nothing is loaded in {config.warehouse.root} yet; run: callhouse run"
            )
        graph = read_graph(MODELS, context)
        with closing(connect()) as connection:
            raw_files = attach(connection, raw, graph)
        raw_folder = config.warehouse.raw_folder.resolve()
        facts = ProjectInputs(
            context=context,
            raw_folder=Path(os.path.relpath(raw_folder, folder.resolve())).as_posix(),
            vendors=raw_files.vendors,
            stored=raw_files.stored,
            report=_shown(),
            max_age_hours=ceil(config.operation.notify.max_age_hours),
            style=style,
        )
        written = project(graph, facts)
    _write(folder, written)
    return len(written)


def _shown() -> frozenset[str]:
    """Return the tables that the report reads."""
    return frozenset(
        one.name
        for query in files("pipelines.report").joinpath("queries").iterdir()
        if query.name.endswith(".sql")
        for one in references(query.name, query.read_text("utf-8"))
    )


def _refuse_occupied(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; name a folder to export to")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise ConfigError(
            f"{folder} holds other files than an export's; name a new or empty folder"
        )


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files, and delete those of the last export that are not among them."""
    # dbt builds a database with calls here, and sets no permissions for it.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark = folder / MARK
    before = set(mark.read_text("utf-8").splitlines()) if mark.exists() else set()
    # If this is interrupted, the next export still knows every file of it.
    mark.write_text("\n".join(sorted(before | files.keys())) + "\n", "utf-8")
    for name in sorted(before - files.keys()):
        (folder / name).unlink(missing_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    mark.write_text("\n".join(sorted(files)) + "\n", "utf-8")

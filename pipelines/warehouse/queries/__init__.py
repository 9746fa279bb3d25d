"""Queries over the files of a warehouse, one SQL file each."""

from importlib.resources import files


def query(name: str) -> str:
    """Return the text of ``pipelines/warehouse/queries/<name>.sql``.

    The folder in a name says which file the query reads: ``raw/`` or ``published/``;
    without one it reads any.
    """
    folder = files(__name__)
    return folder.joinpath(f"{name}.sql").read_text("utf-8")

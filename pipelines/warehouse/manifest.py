"""The manifest of a backup: its files, and how to prove that they are whole."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath

import msgspec

from pipelines.warehouse.opening import FileError

MANIFEST = "manifest.json"
FORMAT = 1
"""Of the folder and its manifest; a program refuses a format that it does not know."""


class BackedUpFile(msgspec.Struct, frozen=True):
    """A file of a backup."""

    path: str
    """Relative to the folder of the backup, and to the one of the warehouse."""
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup has in it."""

    format: int
    made_at: datetime
    program: str
    """The version of Callhouse that made it."""
    loads: dict[str, int]
    """How many loads each vendor's raw file has."""
    files: tuple[BackedUpFile, ...]


def described(path: Path, inside: Path) -> BackedUpFile:
    """Return what a manifest says about a file in the folder ``inside``."""
    name = path.relative_to(inside).as_posix()
    return BackedUpFile(name, path.stat().st_size, _sha256(path))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest into the folder of its backup."""
    # A date library's own time is one as well, and is not encoded by itself.
    text = msgspec.json.encode(manifest, enc_hook=datetime.isoformat)
    text = msgspec.json.format(text)
    (folder / MANIFEST).write_bytes(text + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a backup; raise `FileError` if it cannot be used."""
    path = folder / MANIFEST
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FileError(
            f"{path} cannot be read ({type(error).__name__}), so {folder} is not a "
            "backup that can be restored; use another one"
        ) from None
    if found.format != FORMAT:
        raise FileError(
            f"{folder} is a backup of {found.program}, of a format that is not known "
            "here; restore it with that version"
        )
    for one in found.files:
        place = PurePosixPath(one.path)
        if place.is_absolute() or ".." in place.parts:
            raise FileError(f"{path} names {one.path!r}, which is outside the backup")
    return found


def differing(manifest: Manifest, folder: Path) -> Iterator[str]:
    """Yield a sentence's end for each file that is not as the manifest says."""
    for one in manifest.files:
        path = folder / one.path
        if not path.is_file():
            yield f"{path} is missing"
        elif path.stat().st_size != one.size:
            yield f"{path} has {path.stat().st_size:,} bytes, not {one.size:,}"
        elif _sha256(path) != one.sha256:
            yield f"{path} has other bytes than those that were backed up"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

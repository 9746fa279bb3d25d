"""One wrong edit of a file."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import unified_diff
from hashlib import sha256


@dataclass(frozen=True)
class Edit:
    """One place of a text, and what stands there instead."""

    kind: str
    """What is done to it, such as ``bound``."""
    start: int
    end: int
    new: str


def in_order(edits: Iterable[Edit], text: str) -> list[Edit]:
    """Return those that change the text, each result once, as they stand in it."""
    found = {
        (one.start, one.end, one.new): one
        for one in edits
        if text[one.start : one.end] != one.new
    }
    return [found[place] for place in sorted(found)]


@dataclass(frozen=True)
class Mutant:
    """A file of the repository with one edit."""

    language: str
    file: str
    text: str
    """The file as it is."""
    edit: Edit

    @property
    def name(self) -> str:
        """Return the same name in every run, until the file is another one."""
        edit = self.edit
        whole = f"{self.file}:{edit.start}:{edit.end}:{edit.new}:{self.text}"
        return sha256(whole.encode()).hexdigest()[:12]

    @property
    def place(self) -> str:
        """Return file and line."""
        return f"{self.file}:{self.text.count(chr(10), 0, self.edit.start) + 1}"

    @property
    def changed(self) -> str:
        """Return the text of the file with the edit."""
        return self.text[: self.edit.start] + self.edit.new + self.text[self.edit.end :]

    @property
    def diff(self) -> str:
        """Return the lines taken away and added."""
        before, after = self.text.splitlines(), self.changed.splitlines()
        _, _, *lines = unified_diff(before, after, lineterm="", n=0)
        return "\n".join(line for line in lines if not line.startswith("@@"))

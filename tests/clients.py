"""Other programs that have a DuckDB file open: real processes, told what to do."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from patience import PATIENCE

CLIENT = """
import sys
import duckdb

connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "True")
print("open", flush=True)
for line in sys.stdin:
    try:
        answer = connection.execute(line).fetchall()
    except duckdb.Error as error:
        answer = type(error).__name__
    print(answer, flush=True)
connection.close()
"""


@dataclass(frozen=True)
class Client:
    """A program with a connection of its own."""

    process: subprocess.Popen[str]

    def ask(self, sql: str) -> str:
        """Return the rows as text, or the name of the error."""
        assert self.process.stdin is not None
        self.process.stdin.write(sql.replace("\n", " ") + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        """Close the connection as a program does that ends."""
        self.process.communicate(timeout=PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


@contextmanager
def client(path: Path, *, read_only: bool = False) -> Iterator[Client]:
    """Give a program that has a file open, for writing as DuckDB's clients do."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(path), str(read_only)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = Client(process)
    try:
        assert found.answer() == "open"
        yield found
    finally:
        if process.poll() is None:
            found.kill()

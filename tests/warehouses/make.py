"""Make a small warehouse with the program of an older commit, and pack it.

    git worktree add ../then COMMIT
    python -m venv ../then/.venv && ../then/.venv/bin/pip install -e ../then
    ../then/.venv/bin/python tests/warehouses/make.py tests/warehouses/COMMIT.tar.xz

Two nights: in the first a record cannot be read, before the second a call of each
vendor is taken off its list, and Zoom grants no engagements. Where that program knows a
backfill, a day before the history is no longer served. The vendors are the sandbox of
the folder it is started in: a vendor outlives the programs that ask it. The raw files
are as the older program wrote them.

Whoever raises a layout adds the warehouse of the commit before.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import requests

from pipelines.sandbox.process import running_sandbox

FIRST = datetime(2026, 11, 17, 3, tzinfo=UTC)
KEPT = ("raw", "build.duckdb", "calls.duckdb", "published", "runs.jsonl", "origin")
"""``calls.duckdb`` leads into ``published``, which older programs do not have."""
TOO_OLD = {"code": 300, "message": "The date must be within the past six months."}
A_CALL_EACH = """
    select min(vendor_call_id) from fact_calls
    where started_at >= '2026-11-16' and started_at < '2026-11-17' group by vendor
"""


def make(archive: Path) -> None:
    """Run the nights in an empty folder, and pack what they leave."""
    with (
        tempfile.TemporaryDirectory() as name,
        running_sandbox(FIRST, volume=6) as world,
    ):
        folder, warehouse = Path(name), Path(name) / "warehouse"
        environment = {
            **world.environment,
            "CALLHOUSE__HISTORY_DAYS": "3",
            "HOME": name,
            "PATH": os.environ["PATH"],
        }

        def callhouse(*arguments: str) -> None:
            command = [str(Path(sys.executable).with_name("callhouse")), *arguments]
            done = subprocess.run(command, cwd=folder, env=environment, check=False)
            sys.stderr.write(f"{arguments}: exit {done.returncode}\n")

        def post(path: str, body: dict[str, object]) -> None:
            url = f"{world.url}/_sandbox/{path}"
            sent = requests.post(url, json=body, timeout=10)
            sys.stderr.write(f"{path}: {sent.status_code}\n")

        post("faults", {"vendor": "whippy", "kind": "malformed_record"})
        callhouse("run", "--now", stamp(FIRST))
        with duckdb.connect(str(warehouse / "calls.duckdb"), read_only=True) as facts:
            ids = [one for (one,) in facts.execute(A_CALL_EACH).fetchall()]
        post("removed", {"ids": ids})
        second = FIRST + timedelta(days=1)
        post("clock", {"now": stamp(second)})
        callhouse("run", "--now", stamp(second))
        gone = {"vendor": "zoom", "kind": "status", "status": 400, "body": TOO_OLD}
        post("faults", {**gone, "path": "/voice_calls"})
        day = ("--from", "2026-11-10", "--to", "2026-11-10", "--vendor", "zoom")
        later = second + timedelta(minutes=10)
        callhouse("backfill", *day, "--now", stamp(later))
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive, "w:xz", preset=9) as packed:
            for kept in KEPT:
                if (warehouse / kept).exists():
                    packed.add(warehouse / kept, kept, filter=_nobodys)


def stamp(moment: datetime) -> str:
    """Return a moment as the commands take it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = int(FIRST.timestamp())
    return member


if __name__ == "__main__":
    make(Path(sys.argv[1]).absolute())

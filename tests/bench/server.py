"""A vendor that is as fast as a client can read, or as slow as it is told to be.

``python server.py VENDOR RECORDS [BYTES_PER_SECOND [DELAY]]`` serves the records of a
file: as TWIN or Voximplant does, a window at a time, and at ``/records`` as one plain
list for every client. It prints its port, and ends with its parent. The bytes of each
record are ready, so that answering is joining.
"""

import asyncio
import json
import sys
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import PIPE, Popen
from urllib.parse import parse_qs, urlsplit

TIMES = {"twin": "createdAt", "voximplant": "start_date"}
"""The key of the time that a vendor lists its records by."""
PIECE = 1 << 16
SECOND = timedelta(seconds=1)


@contextmanager
def serving(
    vendor: str, records: Path, pace: int = 0, delay: float = 0
) -> Iterator[str]:
    """Serve the records in a process of its own, and yield the server's address.

    ``pace`` is bytes a second on all connections together, 0: no limit. ``delay`` is
    seconds before each answer.
    """
    command = [sys.executable, __file__, vendor, str(records), str(pace), str(delay)]
    with Popen(command, stdin=PIPE, stdout=PIPE) as process:
        try:
            port = int(process.stdout.readline()) if process.stdout else 0
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@dataclass
class _Vendor:
    name: str
    pace: int
    delay: float
    records: list[bytes]
    times: list[str] = field(default_factory=list)
    """Of the records, ascending, as the vendor writes them."""
    free_at: float = 0.0
    """When the line has sent what it was given so far."""

    def answer(self, path: str, asked: dict[str, str]) -> bytes:
        if path == "/records":
            start, size = int(asked.get("offset", 0)), int(asked.get("limit", 1000))
            page = self.records[start : start + size]
            return _list(b"items", page, b'"count":%d' % len(self.records))
        if self.name == "twin":
            return self._twin(path, asked)
        return self._voximplant(path, asked)

    def _twin(self, path: str, asked: dict[str, str]) -> bytes:
        if path.endswith("/login"):
            return b'{"token":"bench"}'
        if (
            asked["periodField"] != "createdAt"
        ):  # the bench loads one of the three lists
            return _list(b"items", [], b'"count":0')
        bounds = (datetime.fromisoformat(asked[key]) for key in ("from", "to"))
        start, end = (moment.isoformat(timespec="seconds") for moment in bounds)
        found = self._between(start + "\x7f", end)  # both bounds are strict
        offset, limit = int(asked["offset"]), int(asked.get("limit", 1000))
        page = found[offset : offset + limit]
        return _list(b"items", page, b'"count":%d' % len(found))

    def _voximplant(self, path: str, asked: dict[str, str]) -> bytes:
        if path.endswith("/GetAccountInfo"):
            return b'{"result":{"account_id":1000001,"currency":"USD"}}'
        found = self._between(asked["from_date"], asked["to_date"] + "\x7f")
        offset, limit = int(asked["offset"]), int(asked["count"])
        page = found[offset : offset + limit]
        counts = b'"total_count":%d,"count":%d' % (len(found), len(page))
        return _list(b"result", page, counts + b',"timezone":"Etc/GMT"')

    def _between(self, start: str, end: str) -> list[bytes]:
        first, last = bisect_left(self.times, start), bisect_left(self.times, end)
        return self.records[first:last]

    async def send(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        await asyncio.sleep(self.delay)
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        if not self.pace:
            writer.write(body)
            await writer.drain()
            return
        loop = asyncio.get_running_loop()
        for start in range(0, len(body), PIECE):
            piece = body[start : start + PIECE]
            self.free_at = max(self.free_at, loop.time()) + len(piece) / self.pace
            await asyncio.sleep(self.free_at - loop.time())
            writer.write(piece)
            await writer.drain()

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # A client that is done goes away between two requests, or is killed.
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                start, *headers = head.decode().split("\r\n")
                length = next(
                    (
                        int(h[15:])
                        for h in headers
                        if h.lower().startswith("content-length:")
                    ),
                    0,
                )
                sent = (await reader.readexactly(length)).decode()
                target = urlsplit(start.split()[1])
                both = parse_qs(f"{target.query}&{sent}", keep_blank_values=True)
                asked = {key: values[0] for key, values in both.items()}
                await self.send(writer, self.answer(target.path, asked))
        writer.close()


def _list(key: bytes, records: list[bytes], beside: bytes) -> bytes:
    return b'{"%s":[%s],%s}' % (key, b",".join(records), beside)


def _vendor() -> _Vendor:
    name, file, pace, delay = sys.argv[1:]
    records = Path(file).read_bytes().splitlines()
    times = [json.loads(record)[TIMES[name]] for record in records]
    return _Vendor(name, int(pace), float(delay), records, times)


async def _main(vendor: _Vendor) -> None:
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    async with server:
        await ended


if __name__ == "__main__":
    asyncio.run(_main(_vendor()))

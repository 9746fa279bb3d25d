"""Start the sandbox: `python -m pipelines.sandbox --help`.

Prints one line of JSON when it listens: its url, its clock, and the environment a
client needs. Ends on SIGTERM, SIGINT or, with --stop-with-stdin, when stdin closes.
"""

import argparse
import os
import signal
import sys
import threading
from datetime import UTC, datetime, time, timedelta

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipelines.sandbox.control import moment, open_sandbox
from pipelines.sandbox.credentials import ALIASES, environment, invent
from pipelines.sandbox.server import open_server
from pipelines.sandbox.wire import Tokens
from pipelines.sandbox.world import Clock, World
from pipelines.sandbox.zoom.api import SCOPE

RUN_AT = time(3, tzinfo=UTC)
FRIENDLY = "friendly"


def main() -> None:
    """Serve until a signal stops it."""
    options = _options()
    private_key, public_key = _key_pair()
    aliases = ALIASES[: options.accounts]
    world = World(
        seed=options.seed,
        volume=options.volume,
        aliases=aliases,
        clock=Clock(options.now or _last_run(datetime.now(UTC))),
        credentials=invent(options.seed, aliases),
        public_key=public_key,
        is_friendly=options.world == FRIENDLY,
        scopes={SCOPE} if options.world == FRIENDLY else set(),
        tokens={
            vendor: Tokens()
            for vendor in ("zoom", "voximplant", "evovoice", "twin", "whippy")
        },
    )
    try:
        server = open_server(open_sandbox(world), options.port)
    except OSError as error:
        sys.exit(f"sandbox: cannot listen on port {options.port}: {error.strerror}")
    url = f"http://127.0.0.1:{server.server_address[1]}"
    started = {
        "url": url,
        "now": world.clock.now,
        "environment": environment(url, world.credentials, private_key),
    }
    stop = _stop_event(with_stdin=options.stop_with_stdin)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    sys.stdout.write(msgspec.json.encode(started).decode() + "\n")
    sys.stdout.flush()
    stop.wait()
    server.shutdown()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipelines.sandbox")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--now", type=moment, help="the clock, ISO 8601")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--volume", type=int, default=120, help="calls per weekday")
    parser.add_argument(
        "--accounts", type=int, default=1, choices=range(1, len(ALIASES) + 1)
    )
    parser.add_argument("--world", choices=(FRIENDLY, "hostile"), default="hostile")
    parser.add_argument("--stop-with-stdin", action="store_true")
    return parser.parse_args()


def _last_run(now: datetime) -> datetime:
    run = datetime.combine(now.date(), RUN_AT)
    return run if run <= now else run - timedelta(days=1)


def _key_pair() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def _stop_event(*, with_stdin: bool) -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def wait_for_end() -> None:
        # Not sys.stdin: a thread that holds its lock spoils the interpreter's end.
        while os.read(sys.stdin.fileno(), 4096):
            pass
        stop.set()

    if with_stdin:
        threading.Thread(target=wait_for_end, daemon=True).start()
    return stop


if __name__ == "__main__":
    main()

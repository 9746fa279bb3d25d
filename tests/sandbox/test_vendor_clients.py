"""The vendors' own clients read the sandbox, and find the history that we find.

They speak TLS and nothing else, so that a relay stands before the sandbox.
"""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from conftest import Row
from patience import PATIENCE
from reading import MONDAY, days, read

from pipelines.sandbox.process import Sandbox

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-clients/bin/python"
NODE = ROOT / ".node-clients"
READ_IN_PYTHON = """
import datetime, json, sys
from voximplant.apiclient import VoximplantAPI

credentials, endpoint, *days = sys.argv[1:]
start, end = map(datetime.datetime.fromisoformat, days)
answer = VoximplantAPI(credentials, endpoint).get_call_history(
    start, end, with_calls=True, with_records=True, count=1000
)
print(json.dumps(answer, default=lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}"))
"""
READ_OF_ZOOM = """
import json, sys
from zoom_python_client.zoom_api_client import ZoomApiClient
from zoom_python_client.zoom_auth_api.zoom_auth_api_client import ZoomAuthApiClient

base_url, oauth_url, start, end, *credentials = sys.argv[1:]
ZoomAuthApiClient.oauth_base_url = oauth_url
client = ZoomApiClient(*credentials, api_endpoint=base_url)
asked = {"from": f"{start}T00:00:00Z", "to": f"{end}T00:00:00Z", "view_type": "detail"}
found = []
while True:
    page = client.make_get_request("/contact_center/voice_calls", asked).json()
    found += page["voice_calls"]
    if not page["next_page_token"]:
        break
    asked["next_page_token"] = page["next_page_token"]
print(json.dumps(found))
"""
READ_IN_NODE = """
const VoximplantApiClient = require('@voximplant/apiclient-nodejs').default;
const [pathToCredentials, host, from, to] = process.argv.slice(2);
const client = new VoximplantApiClient({ pathToCredentials, host });
client.onReady = () =>
  client.History.getCallHistory({
    fromDate: new Date(from + 'Z'), toDate: new Date(to + 'Z'),
    withCalls: true, withRecords: true, count: 1000,
  }).then(
    (answer) => console.log(JSON.stringify(answer)),
    (error) => { console.error(error.message); process.exit(1); },
  );
"""
KEYS = ("account_id", "key_id", "private_key")


@dataclass(frozen=True)
class Front:
    """The sandbox behind TLS, for one account of Voximplant."""

    endpoint: str
    credentials: Path
    authority: Path

    def run(self, *command: str | Path, **variables: str) -> Any:  # noqa: ANN401
        """Run a client; return the JSON that it prints."""
        done = subprocess.run(
            [*command, self.credentials, self.endpoint, *MONDAY],
            env={
                "PATH": os.environ["PATH"],
                "REQUESTS_CA_BUNDLE": str(self.authority),
                "NODE_EXTRA_CA_CERTS": str(self.authority),
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)


@contextmanager
def relay(target: tuple[str, int], secure: ssl.SSLContext) -> Iterator[int]:
    """Give the port where TLS is taken off and every byte passed on."""

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while received := source.recv(65_536):
                sink.sendall(received)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def pass_on(client: socket.socket) -> None:
        with (
            suppress(OSError),
            secure.wrap_socket(client, server_side=True) as inner,
            socket.create_connection(target) as plain,
        ):
            back = threading.Thread(target=copy, args=(plain, inner), daemon=True)
            back.start()
            copy(inner, plain)
            back.join()

    def accept(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                threading.Thread(target=pass_on, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, args=(listening,), daemon=True).start()
        yield listening.getsockname()[1]


@pytest.fixture(scope="module")
def front(
    sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("clients")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(secure)
    account = "CALLHOUSE__SOURCES__VOXIMPLANT__ACCOUNTS__MAIN__"
    given = {key: sandbox.environment[f"{account}{key.upper()}"] for key in KEYS}
    # As in the file that the vendor gives: the account is a number.
    key = {**given, "account_id": int(given["account_id"])}
    (folder / "credentials.json").write_text(json.dumps(key))
    address = urlsplit(sandbox.url)
    assert address.hostname is not None
    assert address.port is not None
    with relay((address.hostname, address.port), secure) as port:
        yield Front(
            f"127.0.0.1:{port}/voximplant",
            folder / "credentials.json",
            folder / "authority.pem",
        )


@pytest.fixture(scope="module")
def ours(sandbox: Sandbox) -> list[Row]:
    """Give the records of Monday as our source reads them."""
    found = read(dict(sandbox.environment), "voximplant", days("voximplant", *MONDAY))
    rows = [json.loads(row["payload"]) for row in found.records]
    sessions = [row for row in rows if "call_session_history_id" in row]
    assert len(sessions) > 50
    return of_monday(sessions)


def session_id(session: Row) -> int:
    number: int = session["call_session_history_id"]
    return number


def test_the_client_for_python_finds_the_history_that_we_find(
    front: Front, ours: list[Row]
) -> None:
    assert PYTHON.exists(), "it has an environment of its own; run: make clients"
    answer = front.run(PYTHON, "-c", READ_IN_PYTHON)
    assert answer["timezone"] == "Etc/GMT"
    assert of_monday(answer["result"]) == ours


def test_a_client_of_zoom_finds_the_calls_that_we_find(sandbox: Sandbox) -> None:
    given = dict(sandbox.environment)
    of_zoom = "CALLHOUSE__SOURCES__ZOOM__"
    account = f"{of_zoom}ACCOUNTS__MAIN__"
    done = subprocess.run(
        [
            *(PYTHON, "-c", READ_OF_ZOOM, given[f"{of_zoom}BASE_URL"]),
            *(given[f"{of_zoom}TOKEN_URL"].removesuffix("/token"), *MONDAY),
            given[f"{account}ACCOUNT_ID"],
            given[f"{account}CLIENT_ID"],
            given[f"{account}CLIENT_SECRET"],
        ],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    windows = [one for one in days("zoom", *MONDAY) if one.stream == "voice_calls"]
    rows = read(given, "zoom", windows).records
    assert len(rows) > 50
    assert by_engagement(json.loads(done.stdout)) == by_engagement(
        [json.loads(row["payload"]) for row in rows]
    )


def by_engagement(calls: list[Row]) -> dict[str, Row]:
    """Return calls by their id, those of Monday alone."""
    first, end = (f"{day}T00:00:00Z" for day in MONDAY)
    return {
        call["engagement_id"]: call
        for call in calls
        if first <= call["start_time"] < end
    }


@pytest.mark.soak
def test_the_client_for_node_finds_the_history_that_we_find(
    front: Front, ours: list[Row], tmp_path: Path
) -> None:
    if shutil.which("node") is None or not NODE.exists():
        pytest.skip("the clients for Node are not installed; run: make test-clients")
    script = tmp_path / "read.js"
    script.write_text(READ_IN_NODE)
    answer = front.run("node", script, NODE_PATH=str(NODE / "node_modules"))
    found = of_monday([as_sent(one) for one in answer["result"]])
    assert found == [without_nulls(one) for one in ours]


def of_monday(sessions: list[Row]) -> list[Row]:
    """Return what began on the day: we ask for a second more at either end."""
    first, end = (f"{day} 00:00:00" for day in MONDAY)
    kept = [one for one in sessions if first <= one["start_date"] < end]
    return sorted(kept, key=session_id)


def as_sent(session: Row) -> Row:
    """Return a record of the client for Node, which renames the keys of a session."""
    return without_nulls(
        {
            re.sub("[A-Z]", lambda one: f"_{one[0].lower()}", name): value
            for name, value in session.items()
        }
    )


def without_nulls(session: Row) -> Row:
    """Leave out what has no value: the client for Node keeps some of it alone."""
    return {key: value for key, value in session.items() if value is not None}

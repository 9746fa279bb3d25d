"""Our requests to Zoom, seen by a mock server that knows what Zoom publishes of them.

The server refuses a parameter that is not in the document, or not as it says.
"""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from patience import PATIENCE
from reading import EVENING, FIRST, Reading, read

from pipelines.planning.windows import day_windows

ROOT = Path(__file__).parents[3]
MOCK = ROOT / ".venv-openapi/bin/connexion"
DOCUMENT = ROOT / "tests/contracts/zoom/openapi.yaml"
STREAMS = ("voice_calls", "engagements")
pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    """Give the address of the mock server."""
    assert MOCK.exists(), "it has an environment of its own; run: make openapi"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    place = ("--host", "127.0.0.1", "--port", str(port))
    command = [MOCK, "run", DOCUMENT, "--mock", "all", "--strict-validation", *place]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + PATIENCE
            while not answers(url):
                assert process.poll() is None, "the mock server ended"
                assert time.monotonic() < until, "the mock server does not answer"
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=PATIENCE).status_code < 500
    except requests.ConnectionError:
        return False


def asked(url: str, **settings: object) -> Reading:
    """Read both lists of the day that the document's examples are of."""
    environment = {
        "CALLHOUSE__SOURCES__ZOOM__ACCOUNT_ID": "a",
        "CALLHOUSE__SOURCES__ZOOM__CLIENT_ID": "c",
        "CALLHOUSE__SOURCES__ZOOM__CLIENT_SECRET": "s",
        "CALLHOUSE__SOURCES__ZOOM__BASE_URL": url,
        "CALLHOUSE__SOURCES__ZOOM__TOKEN_URL": f"{url}/oauth/token",
    }
    windows = [one for name in STREAMS for one in day_windows(name, *FIRST)]
    return read(environment, "zoom", windows, EVENING, **settings)


def test_no_request_is_against_what_zoom_publishes(mock: str) -> None:
    reading = asked(mock)
    assert [line["state"] for line in reading.ledger] == ["complete"] * len(STREAMS)
    assert len(reading.records) == len(STREAMS)


def test_the_mock_refuses_what_zoom_does_not_take(mock: str) -> None:
    reading = asked(mock, page_size=101)
    assert "complete" not in reading.states
    unknown = {"sort": "asc"}
    path = f"{mock}/contact_center/voice_calls"
    assert requests.get(path, unknown, timeout=PATIENCE).status_code == 400

"""The sandbox's own address, by which a test changes what its vendors have."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import requests
from patience import PATIENCE

from pipelines.sandbox.process import Sandbox


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def post(sandbox: Sandbox, path: str, body: Mapping[str, object]) -> dict[str, Any]:
    return _ask(sandbox, "POST", path, json=body)


def control(sandbox: Sandbox, path: str, **body: object) -> dict[str, Any]:
    return post(sandbox, path, body)


def undo(sandbox: Sandbox, *paths: str) -> None:
    """Take back every fault, or every change of calls and vendors."""
    for path in paths:
        _ask(sandbox, "DELETE", path)


def truth(
    sandbox: Sandbox, vendor: str, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """Return every call that the vendor would report now."""
    span = {"vendor": vendor, "since": stamp(since), "until": stamp(until)}
    return _ask(sandbox, "GET", "truth", params=span)


def price_items(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return each item of EvoVoice's price lists, and whose it is."""
    return _ask(sandbox, "GET", "price_items")


def asked_of(sandbox: Sandbox) -> Counter[str]:
    """Return how many requests each path has got."""
    paths = _ask(sandbox, "GET", "requests")["paths"]
    return Counter({path: sum(seen.values()) for path, seen in paths.items()})


def _ask(sandbox: Sandbox, method: str, path: str, **sent: Any) -> Any:  # noqa: ANN401
    url = f"{sandbox.url}/_sandbox/{path}"
    answer = requests.request(method, url, timeout=PATIENCE, **sent)
    answer.raise_for_status()
    return answer.json() if answer.content else {}

"""Where secrets and phone numbers are after a night in which everything fails.

Every byte that the nights leave is searched: what they print, the home folder with the
warehouse, the folder of temporary files.
"""

import base64
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

import duckdb
import pytest
from conftest import VENDORS, House, callhouse, open_house
from harness.crash import NUMBER
from harness.wire import Case, Proxy, serving
from patience import PATIENCE
from sandbox_control import stamp

from pipelines.planning.windows import DAY, read_time

NOW = read_time("2026-12-02T00:04:00Z")
NEXT = NOW + DAY / 6
TESTS = Path(__file__).parents[1]
LOUD = {
    "RUNTIME__LOG_LEVEL": "DEBUG",
    "RUNTIME__HTTP_SHOW_ERROR_BODY": "true",
    "LOG_LEVEL": "DEBUG",
    "HTTPX_LOG_LEVEL": "debug",
}
"""What asks for more output, of us and of libraries."""
PLACES = ("raw", "build.duckdb", "published", "snapshots", "calls.duckdb")
"""Where in the warehouse folder numbers belong."""


def forms(secret: str) -> set[bytes]:
    """Return how a secret may be written."""
    plain = {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}
    coded = {one.encode() for one in plain} | {secret.replace("\\n", "\n").encode()}
    for before in (b"", b" ", b"  "):  # base64 of a part begins in one of three ways
        whole = base64.b64encode(before + secret.encode()).rstrip(b"=")
        coded.add(whole[4:-4] if before else whole[:-4])
    return {one for one in coded if len(one) > 6}


def dashed(number: str) -> set[bytes]:
    """Return a phone number with its plus and without."""
    return {number.encode(), number.lstrip("+").encode()}


@dataclass(frozen=True)
class Nights:
    """What two nights have left, and what must be looked for in it."""

    house: House
    temporary: Path
    printed: Mapping[str, bytes]
    files: Mapping[str, bytes]
    """Every byte that is left in the two folders, by its file."""
    secrets: tuple[str, ...]
    codes: tuple[int, int]

    def leaks(self, wanted: Iterable[bytes], *, within: Iterable[str] = ()) -> set[str]:
        """Return the names of what has one of the texts, ``within`` left out."""
        belongs = tuple(f"warehouse/{place}" for place in within)
        return {
            name
            for name, content in {**self.files, **self.printed}.items()
            if not (belongs and name.startswith(belongs))
            and any(one in content for one in wanted)
        }


def night(
    house: House, temporary: Path, *arguments: str, **changed: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own, with its temporary files in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "harness.crash", "run", *arguments],
        cwd=house.folder,
        env={
            **house.environment,
            **LOUD,
            "PYTHONPATH": str(TESTS),
            "TMPDIR": str(temporary),
            **changed,
        },
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """Give two nights: a vendor's process fails, and then the command itself."""
    temporary = tmp_path_factory.mktemp("temporary")
    home = tmp_path_factory.mktemp("home")
    with open_house(home, NOW, days=1, volume=8) as house:
        proxy = Proxy(house.sandbox.url, {"night": Case(lambda _: ["reset"], times=2)})
        with serving(proxy) as port:
            for name, value in house.environment.items():
                if value.startswith(house.sandbox.url):
                    place = f"http://127.0.0.1:{port}/night{urlsplit(value).path}"
                    house.environment[name] = place
            secrets = [
                value
                for name, value in house.environment.items()
                if name.endswith(("SECRET", "KEY", "KEY_ID", "PASSWORD", "CLIENT_ID"))
            ]
            post = house.post
            post("faults", {"vendor": "evovoice", "kind": "error200", "times": None})
            post("faults", {"vendor": "zoom", "kind": "malformed_record", "times": 9})
            first = night(house, temporary, "--now", stamp(NOW), HARNESS_CRASH="twin")
            house.disarm()
            post("clock", {"now": stamp(NEXT)})
            fewer = ("--vendor", "whippy", "--vendor", "twin")
            second = night(
                house, temporary, "--now", stamp(NEXT), *fewer, HARNESS_CRASH="command"
            )
        # Basic credentials are those of the configuration, in base64.
        given = {one.removeprefix("Bearer ") for one in proxy.credentials}
        assert len(given) > len(VENDORS) - 2
        printed = {
            f"{name} of night {number}": sent
            for number, done in enumerate((first, second), 1)
            for name, sent in (("stdout", done.stdout), ("stderr", done.stderr))
        }
        files = {
            str(path.relative_to(folder)): path.read_bytes()
            for folder in (home, temporary)
            for path in folder.rglob("*")
            if path.is_file() and not path.is_symlink()
        }
        yield Nights(
            house,
            temporary,
            printed,
            files,
            (*secrets, *(one.removeprefix("Basic ") for one in given)),
            (first.returncode, second.returncode),
        )


def test_both_nights_failed_as_they_were_meant_to(nights: Nights) -> None:
    assert nights.codes == (1, 70), nights.printed
    assert len([*nights.temporary.glob("callhouse-*.txt")]) == 2
    assert b"twin: unexpected RuntimeError" in nights.printed["stderr of night 1"]


def test_no_byte_that_is_left_has_a_secret(nights: Nights) -> None:
    assert len(nights.secrets) > 8
    for secret in nights.secrets:
        assert nights.leaks(forms(secret)) == set(), secret[:12]


def test_numbers_are_where_they_belong_and_nowhere_else(nights: Nights) -> None:
    numbers = numbers_in(nights.house.published)
    assert len(numbers) > 5
    for number in [*numbers, NUMBER]:
        assert nights.leaks(dashed(number), within=PLACES) == set(), number
    # The control: what is searched for can be seen in bytes where it belongs.
    assert nights.leaks(set().union(*map(dashed, numbers)))


@pytest.mark.soak
def test_a_masked_file_shows_no_number(nights: Nights) -> None:
    numbers = numbers_in(nights.house.published)
    masked = {**nights.house.environment, "CALLHOUSE__PRIVACY__PHONE_NUMBERS": "masked"}
    done = callhouse(nights.house.folder, masked, "transform", "--now", stamp(NEXT))
    assert done.returncode == 0, done.stderr
    published = nights.house.published.resolve().read_bytes()
    assert not any(form in published for one in numbers for form in dashed(one))
    assert not numbers & numbers_in(nights.house.published)


def numbers_in(file: Path) -> set[str]:
    """Return the phone numbers of customers in a published file."""
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(
            "select distinct customer_number from fact_calls"
            " where customer_number is not null"
        ).fetchall()
    return {number for (number,) in rows}

"""What holds for every command: its places, its output, its failures."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from conftest import CALLHOUSE, callhouse, stamped
from patience import PATIENCE
from typer.testing import CliRunner

from pipelines.cli import tables
from pipelines.cli.app import app
from pipelines.commands import query
from pipelines.config.loader import config_folder
from pipelines.extract.errors import clean, escaped
from pipelines.load.failure import failure_of

ROOT = Path(__file__).parents[2]
HOSTILE = "\x1b[2J\u202eЖюль 王伟\x9b\u2066[/]:smile:"
NUMBER = "+1 202 555 0123"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder whose published file has a stamp and a hostile text."""
    folder = tmp_path_factory.mktemp("commands")
    with duckdb.connect(str(stamped(folder))) as connection:
        connection.execute("create table words as select $1 as word", [HOSTILE])
    return folder


def test_in_an_empty_folder_nothing_is_made(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    for words in (["run"], ["load"], ["backfill", "--from", "2026-11-01"]):
        done = callhouse(tmp_path, home, *words)
        assert done.returncode == 2
        assert f"no vendor is configured in {tmp_path / 'config'}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_is_named_or_here_or_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "home" / "callhouse"
    assert config_folder(None, own) == tmp_path / "config"
    own.mkdir(parents=True)
    assert config_folder(None, own) == own
    (tmp_path / "config").mkdir()
    assert config_folder(None, own) == tmp_path / "config"
    (tmp_path / "other").mkdir()
    assert config_folder(Path("other"), own) == tmp_path / "other"


def test_option_then_environment_names_the_configuration(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = {"HOME": str(tmp_path), "CALLHOUSE_CONFIG": "one"}
    done = callhouse(tmp_path, one, "run")
    assert (
        f"configuration {tmp_path}/one, warehouse {tmp_path}/warehouse" in done.stderr
    )
    done = callhouse(tmp_path, one, "run", "--config", "two")
    assert f"configuration {tmp_path}/two, " in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_output_fits_the_terminals_encoding(
    warehouse: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(warehouse)
    runner = CliRunner(charset=encoding)
    done = runner.invoke(app, ["query", "select word from words"])
    assert done.exit_code == 0, done.stderr
    assert "\\u0416" in done.stdout
    done = runner.invoke(app, ["query", "--json", "from words"])
    assert json.loads(done.stdout_bytes)[0]["word"] == HOSTILE


def test_a_terminal_without_unicode_is_one_of_them(warehouse: Path) -> None:
    done = subprocess.run(
        [CALLHOUSE, "query", "from words"],
        cwd=warehouse,
        env={"HOME": str(warehouse), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "\\u0416" in done.stdout


def test_nothing_from_a_vendor_steers_a_terminal(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(warehouse)
    done = CliRunner().invoke(app, ["query", "select word from words"])
    assert r"\x1b[2J\u202eЖюль 王伟\x9b\u2066[/]:smile:" in done.stdout
    done = CliRunner().invoke(app, ["query", f'select * from "{HOSTILE}"'])
    assert done.exit_code == 4
    assert "\x1b" not in done.stderr
    assert "\u202e" not in done.stderr


def test_a_console_escapes_what_no_code_has_escaped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for console in (tables.stdout(), tables.stderr()):
        console.print(f"one {HOSTILE}\ntwo", markup=False)
    for text in capsys.readouterr():
        assert text.splitlines() == [f"one {escaped(HOSTILE)}", "two"]


def test_every_column_of_a_query_is_kept(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(warehouse)
    sql = "select 1 as a, 2 as a, 3 as a, 4 as a_1"
    done = CliRunner().invoke(app, ["query", "--json", sql])
    assert list(json.loads(done.stdout)[0].values()) == [1, 2, 3, 4]
    done = CliRunner().invoke(app, ["query", sql])
    assert re.findall(r"\d", done.stdout.splitlines()[3]) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    "sql",
    [
        "select 170141183460469231731687303715884105727 as x",
        "select map {[1]: 2.5} as x",
        "select map {now(): {'a': 1::decimal}} as x",
        "select [date '2026-11-17', null] as x",
        "select 'nan'::double as x, interval 3 month as y, 'a'::blob as z",
    ],
)
def test_any_value_is_shown(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    monkeypatch.chdir(warehouse)
    for words in (["query", sql], ["query", "--json", sql]):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.stderr


def test_a_reader_who_leaves_ends_a_command_quietly(warehouse: Path) -> None:
    with subprocess.Popen(
        [CALLHOUSE, "query", "from range(3000)"],
        cwd=warehouse,
        env={"PATH": "/usr/bin:/bin", "HOME": str(warehouse)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_ctrl_c_ends_a_command_with_the_code_that_a_shell_expects(
    warehouse: Path,
) -> None:
    with subprocess.Popen(
        [CALLHOUSE, "sandbox"],
        cwd=warehouse,
        env={"PATH": "/usr/bin:/bin", "HOME": str(warehouse)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "serving" in next(process.stderr)
        process.send_signal(signal.SIGINT)
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == 130


def test_a_full_disk_behind_the_output_is_told(warehouse: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [CALLHOUSE, "query", "--json", "from range(3)"],
            cwd=warehouse,
            env={"PATH": "/usr/bin:/bin", "HOME": str(warehouse)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("callhouse: standard output: No space left on device")
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_an_unexpected_error_is_one_line_and_a_report(
    warehouse: Path, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise LookupError(f"no {NUMBER} with token=abc")

    monkeypatch.chdir(warehouse)
    monkeypatch.setattr(query, "confined", broken)
    done = CliRunner().invoke(app, ["query", "select 1"])
    assert done.exit_code == 70
    (file,) = reports.iterdir()
    assert len(done.stderr.splitlines()) == 1
    assert "unexpected LookupError" in done.stderr
    assert str(file) in done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    written = file.read_text("utf-8")
    assert re.search(r"test_app\.py:\d+ in broken", written)
    for private in ("555", "abc"):
        assert private not in written + done.stderr


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EROFS, "writable"),
        (errno.EACCES, "permission"),
        (errno.EPERM, "permission"),
        (errno.EMFILE, "ulimit"),
        (errno.ENOTDIR, "mend it"),
    ],
)
def test_what_the_system_refuses_is_told_however_it_is_wrapped(
    number: int, words: str, reports: Path
) -> None:
    error = RuntimeError("step failed")
    error.__cause__ = OSError(number, os.strerror(number), "/a/\x1bfile")
    failure = failure_of(error)
    assert failure.exit_code == 2
    assert failure.is_of_system
    assert failure.sentence.startswith(f"/a/\\x1bfile: {os.strerror(number)}; ")
    assert words in failure.sentence
    assert not list(reports.iterdir())


READ_ONLY = """
mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && cd "$1" && shift && exec "$@"
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="only root can mount a file system, in a namespace of its own",
)
@pytest.mark.parametrize("folder", [".", "warehouse/locks"])
def test_a_file_system_that_is_read_only_is_told_in_a_sentence(
    tmp_path: Path, folder: str
) -> None:
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    mounted = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", str(tmp_path)]
    try:
        subprocess.run([*mounted, "true"], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        pytest.skip("this machine lets nobody mount a file system")
    done = subprocess.run(
        [*mounted, CALLHOUSE, "run"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CALLHOUSE__SOURCES__WHIPPY__API_KEY": "k",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("callhouse: warehouse")
    assert "cannot be made: Read-only file system; mend that" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_lost_connection_is_not_of_the_system(reports: Path) -> None:
    assert not failure_of(ConnectionResetError(errno.ECONNRESET, "reset")).is_of_system
    assert len(list(reports.iterdir())) == 1


@pytest.mark.parametrize(
    "kind", [duckdb.IOException, duckdb.TransactionException, duckdb.FatalException]
)
def test_a_database_that_cannot_write_is_of_the_system(kind: type[Exception]) -> None:
    failure = failure_of(kind("Could not write file: No space left"))
    assert failure.is_of_system
    assert "No space left" in failure.sentence


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("call +1 202 555 0123 now", "call … now"),
        ("1/202/555/0123", "…"),
        ("+44_20_7946_0123", "…"),
        ("(202)\u2011555\u20110123", "(…"),
        ("2\u200b0\u200b2\u200b5\u200b5\u200b5\u200b0123", "…"),
        ("write to jane.doe+x@example.org", "write to …"),
        ("jane%40example.org", "…"),
        ("token=abc", "token=…"),
        ('{"access_token":"a b"}', '{"access_token":…}'),
        ("api_key: x1, next", "api_key: …, next"),
        ("Bearer xyz", "Bearer …"),
        ("Authorization: Basic eA==", "Authorization: … …"),
        ("id abcd1234 failed", "id … failed"),
        ("see https://user:canary@example.org/x?y=z", "see https://…"),
        ("a\u202eb\x1b[2J\r\nc", "ab [2J c"),
        ("createdAt, voice_calls, HTTP 500", "createdAt, voice_calls, HTTP 500"),
        (
            "Object missing required field `items`",
            "Object missing required field `items`",
        ),
    ],
)
def test_a_vendors_words_are_told_without_what_is_private(said: str, told: str) -> None:
    assert clean(said) == told


@pytest.mark.soak
def test_make_says_that_it_is_the_network(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    away = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    done = subprocess.run(
        ["/usr/bin/make", "setup"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **away},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode != 0
    assert "make: pip cannot reach its package index" in done.stderr
    assert not (tmp_path / ".venv" / "installed").exists()


@pytest.mark.parametrize(
    ("command", "slow"),
    [
        (("--help",), ("dlt", "duckdb", "pyarrow", "requests", "sqlglot")),
        (("status",), ("dlt",)),
        (("query", "select 1"), ("dlt",)),
        (("doctor", "--help"), ("dlt", "pyarrow.compute")),
    ],
)
def test_a_command_imports_nothing_slow_that_it_does_not_need(
    tmp_path: Path, command: tuple[str, ...], slow: tuple[str, ...]
) -> None:
    program = (
        "import sys\n"
        "from pipelines.cli.app import app\n"
        f"sys.argv[1:] = {[*command]!r}\n"
        "try:\n    app()\nfinally:\n"
        f"    print('slow:', *({{*{slow!r}}} & {{*sys.modules}}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.stdout.splitlines()[-1:] == ["slow:"], done.stderr

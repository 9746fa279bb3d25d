"""What a scheduler is given works there, and nothing else of the operator's changes."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import kubernetes_validate
import pytest
import yaml
from conftest import callhouse
from cronsim import CronSim
from patience import PATIENCE

from pipelines.commands.schedule import next_run, place_of, systemd_units
from pipelines.config.loader import read_config
from pipelines.config.operation import Schedule
from pipelines.warehouse.locks import only_one
from pipelines.warehouse.paths import Warehouse

BIN = Path(sys.executable).parent
ANALYZE = shutil.which("systemd-analyze") or ""
NOW = datetime(2026, 11, 17, 1, tzinfo=UTC)
NIGHTLY = '[schedule]\nat = "03:10"\ntime_zone = "Europe/Berlin"\n'
TEAM = {"CALLHOUSE__NOTIFY__SERVICES__TEAM": "json://127.0.0.1:1/canary"}
CRONTAB = """#!/bin/sh
# As crontab(1): -l prints the table, - replaces it.
table="$HOME/table"
case "$1" in
    -l) test -f "$table" || { echo "no crontab for me" >&2; exit 1; }; cat "$table" ;;
    -) cat > "$table" ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
# Keeps what it is asked for; the manager itself runs on few machines that test.
echo "$@" >> "$HOME/asked"
test ! -f "$HOME/broken" || { echo "Failed to connect to bus" >&2; exit 1; }
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a home with a configuration in a path that needs quotes, and schedulers."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"crontab": CRONTAB, "systemctl": SYSTEMCTL}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / "our calls" / "config").mkdir(parents=True)
    (tmp_path / "our calls" / "config" / "config.toml").write_text(NIGHTLY)
    return tmp_path


def run(home: Path, *words: str, **more: str) -> CompletedProcess[str]:
    path = {"PATH": f"{home}/bin:/usr/bin:/bin", "HOME": str(home)}
    return callhouse(home / "our calls", {**path, **more}, "schedule", *words)


def shown(home: Path, form: str, **more: str) -> str:
    done = run(home, "show", "--as", form, "--now", "2026-11-17T01:00:00Z", **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def asked(home: Path) -> list[str]:
    file = home / "asked"
    return file.read_text().splitlines() if file.exists() else []


def test_the_crontab_keeps_the_lines_of_others(home: Path) -> None:
    others = "MAILTO=me\n0 1 * * * true\n"
    (home / "table").write_text(others)
    assert run(home, "show").returncode == 1
    first = run(home, "install", "--with", "cron", **TEAM)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("installed: crontab; next run 20")
    assert "put the credentials there" in first.stderr
    table = (home / "table").read_text()
    assert table.startswith(others)
    lines = [line for line in table.splitlines() if line.endswith("2>&1")]
    assert len(lines) == 2
    for line in lines:
        fields = " ".join(line.split(" ", 5)[:5])
        CronSim(fields, NOW)  # raises for what no cron takes
    again = run(home, "install", "--with", "cron", **TEAM)
    assert again.stdout.startswith("is installed already: crontab")
    assert (home / "table").read_text() == table
    assert run(home, "show").stdout.startswith("cron: crontab\nnext run ")
    assert run(home, "remove").stdout == "removed: crontab\n"
    assert (home / "table").read_text() == others
    assert run(home, "remove").stdout.startswith("nothing is installed for ")


@pytest.mark.parametrize("command", [("install", "--with", "cron"), ("remove",)])
def test_a_crontab_that_cannot_be_read_is_not_replaced(
    home: Path, command: tuple[str, ...]
) -> None:
    (home / "table").write_text("0 1 * * * true\n")
    refuses = CRONTAB.replace(
        "case", 'test "$1" != -l || { echo "not allowed" >&2; exit 1; }\ncase', 1
    )
    (home / "bin" / "crontab").write_text(refuses)
    done = run(home, *command)
    assert done.returncode == 2
    assert "crontab -l failed: not allowed" in done.stderr
    assert (home / "table").read_text() == "0 1 * * * true\n"


def test_a_line_of_the_crontab_works_without_any_environment(home: Path) -> None:
    """No run begins while another is going on, and the log says which."""
    run(home, "install", "--with", "cron")
    (line,) = [
        line.split(" ", 5)[5]
        for line in (home / "table").read_text().splitlines()
        if not line.startswith("#")
    ]
    secrets = home / "our calls" / "config" / "secrets.toml"
    secrets.write_text('[sources.whippy.accounts.main]\napi_key = "k"\n')
    secrets.chmod(0o600)
    warehouse = Warehouse(home / "our calls" / "warehouse")
    with only_one(warehouse.run_lock, "a run"):
        done = subprocess.run(
            ["/usr/bin/env", "-i", "/bin/sh", "-c", line],
            capture_output=True,
            text=True,
            cwd="/",
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    said = (warehouse.root / "schedule.log").read_text()
    assert f"a run is already going on (process {os.getpid()}" in said


def test_units_are_installed_once_and_removed(home: Path) -> None:
    units = home / ".config/systemd/user"
    units.mkdir(parents=True)
    (units / "other.timer").write_text("[Timer]\n")
    systemd = ("--user", "--with", "systemd")
    assert run(home, "install", *systemd, **TEAM).returncode == 0
    names = {
        f"callhouse-{job}.{kind}"
        for job in ("run", "notify")
        for kind in ("service", "timer")
    }
    assert {path.name for path in units.iterdir()} == {*names, "other.timer"}
    enabled = "--user enable --now callhouse-run.timer callhouse-notify.timer"
    assert asked(home) == ["--user daemon-reload", enabled]
    written = {path: path.read_text() for path in units.iterdir()}
    again = run(home, "install", *systemd, **TEAM)
    assert again.stdout.startswith("is installed already: ")
    assert {path: path.read_text() for path in units.iterdir()} == written
    # Without a service there is nobody to notify, and its units go.
    assert run(home, "install", *systemd).stdout.startswith("installed: ")
    assert "--user disable --now callhouse-notify.timer" in asked(home)
    assert run(home, "show").stdout.startswith("systemd of the user: ")
    assert run(home, "remove").returncode == 0
    assert [path.name for path in units.iterdir()] == ["other.timer"]
    assert run(home, "show").returncode == 1


def test_no_schedule_is_installed_twice(home: Path) -> None:
    assert run(home, "install", "--with", "cron").returncode == 0
    done = run(home, "install", "--user", "--with", "systemd")
    assert done.returncode == 2
    assert "it is installed already, as cron, and would run twice" in done.stderr
    assert asked(home) == []


def test_the_units_of_another_configuration_are_left_alone(home: Path) -> None:
    units = home / ".config/systemd/user"
    units.mkdir(parents=True)
    (units / "callhouse-run.service").write_text("# Written by somebody else\n")
    done = run(home, "install", "--user", "--with", "systemd")
    assert done.returncode == 2
    assert "callhouse-run.service is not of " in done.stderr
    assert run(home, "remove").stdout.startswith("nothing is installed")
    assert len(list(units.iterdir())) == 1


def test_what_the_scheduler_refuses_is_told(home: Path) -> None:
    (home / "broken").touch()
    done = run(home, "install", "--user", "--with", "systemd")
    assert done.returncode == 2
    assert "daemon-reload failed: Failed to connect to bus; mend it" in done.stderr


def test_no_scheduler_and_no_usable_path_are_told(home: Path) -> None:
    (home / "bin" / "crontab").unlink()
    done = run(home, "install", "--with", "cron", PATH=f"{home}/bin")
    assert done.returncode == 2
    assert "there is no program crontab here; install it, or name" in done.stderr
    (home / "100% ours").mkdir()
    done = run(home, "show", "--as", "cron", "--config", str(home / "100% ours"))
    assert done.returncode == 2
    assert "a scheduler cannot have the path" in done.stderr
    if not Path("/run/systemd/system").is_dir():
        done = run(home, "install", PATH=f"{home}/bin")
        assert done.returncode == 2
        assert "there is neither systemd nor crontab here" in done.stderr


@pytest.mark.skipif(ANALYZE == "", reason="systemd is not on this machine")
@pytest.mark.parametrize("is_system", [False, True])
def test_systemd_finds_nothing_wrong_with_the_units(
    home: Path, *, is_system: bool
) -> None:
    config = home / "our calls" / "config"
    settings = read_config(config, TEAM)
    units = systemd_units(settings, place_of(config), NOW, is_user=not is_system)
    for name, text in units.items():
        (home / name).write_text(text)
    done = subprocess.run(
        [ANALYZE, "verify", *(str(home / name) for name in units)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "callhouse" in line]
    assert (done.returncode, ours) == (0, [])
    calendar = next(
        line.partition("=")[2]
        for line in units["callhouse-run.timer"].splitlines()
        if line.startswith("OnCalendar")
    )
    done = subprocess.run(
        [ANALYZE, "calendar", "--base-time=2026-11-17 01:00 UTC", calendar],
        env={**os.environ, "TZ": "UTC"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "Next elapse: Tue 2026-11-17 02:10:00 UTC" in done.stdout, done.stderr


def test_kubernetes_takes_the_jobs(home: Path) -> None:
    found = list(yaml.safe_load_all(shown(home, "kubernetes")))
    for one in found:
        kubernetes_validate.validate(one, "1.31", strict=True)
    config, volume, job = found
    assert config["data"]["config.toml"] == NIGHTLY
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert job["spec"]["timeZone"] == "Europe/Berlin"
    CronSim(job["spec"]["schedule"], NOW)
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    claims = [one.get("persistentVolumeClaim", {}) for one in pod["volumes"]]
    assert {"claimName": volume["metadata"]["name"]} in claims


def test_github_takes_the_workflow(home: Path) -> None:
    file = home / "workflow.yaml"
    file.write_text(shown(home, "github"))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.github-workflows", str(file)),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    workflow = yaml.safe_load(file.read_text())
    # YAML 1.1 takes the key `on` for true.
    assert workflow[True]["schedule"] == [{"cron": "10 2 * * *"}]


def test_the_container_is_as_its_linter_wants_it(home: Path) -> None:
    file = home / "Dockerfile"
    file.write_text(shown(home, "container"))
    done = subprocess.run(
        [BIN / "hadolint", str(file)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-17T01:00:00+00:00", "2026-11-17T02:10:00+00:00"),
        ("2026-11-17T02:10:00+00:00", "2026-11-18T02:10:00+00:00"),
        ("2026-03-28T12:00:00+00:00", "2026-03-29T01:10:00+00:00"),  # summer begins
        ("2026-10-24T12:00:00+00:00", "2026-10-25T02:10:00+00:00"),  # and ends
    ],
)
def test_the_next_run_is_at_the_time_of_its_zone(now: str, due: str) -> None:
    berlin = Schedule(3, 10, "Europe/Berlin")
    assert next_run(berlin, datetime.fromisoformat(now)).isoformat() == due

"""``callhouse schedule``: put a schedule into systemd or cron, and take it away.

What was written is known by its first line, and nothing else is touched.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from subprocess import CompletedProcess

from pipelines.commands.build import make_warehouse
from pipelines.commands.schedule import (
    CRON,
    NOTIFY,
    RUN,
    SYSTEMD,
    Place,
    cron_lines,
    mark_of,
    systemd_units,
)
from pipelines.config.model import Config
from pipelines.config.toml_file import ConfigError

BOOTED = Path("/run/systemd/system")
"""There if systemd is the system's manager, as sd_booted(3) says."""
SYSTEM = Path("/etc/systemd/system")
NO_CRONTAB = ("no crontab for", "No such file")
"""What cron says of a user without a crontab: cronie and Debian's, and BusyBox's."""
SECONDS = 60
"""Of a program that only writes files."""


@dataclass(frozen=True)
class Installed:
    """What is installed, or was."""

    with_what: str
    """systemd or cron; "": nothing is installed."""
    places: Sequence[str] = ()
    """Files, or the crontab."""
    is_new: bool = False
    is_user: bool = False
    """Units of the user's own manager."""

    @property
    def kind(self) -> str:
        """Return the scheduler in words."""
        owner = " of the user" if self.is_user else " of the system"
        return self.with_what + (owner if self.with_what == SYSTEMD else "")


def scheduler(wanted: str | None) -> str:
    """Return systemd where it runs, else cron; raise `ConfigError` without either."""
    if wanted is not None:
        return wanted
    if BOOTED.is_dir() and shutil.which("systemctl"):
        return SYSTEMD
    if shutil.which("crontab"):
        return CRON
    raise ConfigError(
        "there is neither systemd nor crontab here; callhouse schedule show --as "
        "kubernetes, github or container has other ways"
    )


def install(
    config: Config, place: Place, now: datetime, with_what: str, *, is_user: bool
) -> Installed:
    """Install the schedule; doing so again changes nothing.

    Raises `ConfigError` if it is installed elsewhere, if a unit is another
    configuration's, or if the scheduler refuses.
    """
    found = installed(place)
    wanted = Installed(with_what, (), is_user=is_user and with_what == SYSTEMD)
    if found.with_what and found.kind != wanted.kind:
        raise ConfigError(
            f"it is installed already, as {found.kind}, and would run twice; first: "
            "callhouse schedule remove"
        )
    make_warehouse(config)
    if with_what == SYSTEMD:
        units = systemd_units(config, place, now, is_user=is_user)
        return _install_units(place, units, is_user=is_user)
    before = _crontab()
    block = f"# {mark_of(place)}\n{cron_lines(config, place, now)}{_end(place)}\n"
    after = _without(before, place) + block
    if after != before:
        _call(["crontab", "-"], after)
    return Installed(CRON, ["crontab"], after != before)


def remove(place: Place) -> Installed:
    """Remove what `install` wrote for this configuration, wherever it is."""
    found = installed(place)
    if found.with_what == SYSTEMD:
        units = [Path(one) for one in found.places]
        timers = [path.name for path in units if path.suffix == ".timer"]
        _systemctl(["disable", "--now", *timers], is_user=found.is_user)
        for path in units:
            path.unlink()
        _systemctl(["daemon-reload"], is_user=found.is_user)
    elif found.with_what == CRON:
        _call(["crontab", "-"], _without(_crontab(), place))
    return found


def installed(place: Place) -> Installed:
    """Return what is installed for this configuration."""
    for is_user in (True, False):
        if units := _units(place, is_user=is_user):
            return Installed(SYSTEMD, [str(path) for path in units], is_user=is_user)
    if shutil.which("crontab"):
        crontab = _crontab()
        if _without(crontab, place) != crontab:
            return Installed(CRON, ["crontab"])
    return Installed("")


def _install_units(place: Place, units: dict[str, str], *, is_user: bool) -> Installed:
    folder = _folder(is_user=is_user)
    folder.mkdir(parents=True, exist_ok=True)
    for name in units:
        other = folder / name
        if other.exists() and not _is_ours(other, place):
            raise ConfigError(
                f"{other} is not of {place.config}; remove it first, with callhouse "
                "schedule remove --config and its folder, or by hand"
            )
    surplus = [
        path for path in _units(place, is_user=is_user) if path.name not in units
    ]
    is_new = bool(surplus)
    for name, text in units.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            is_new = True
    if surplus:
        timers = [path.name for path in surplus if path.suffix == ".timer"]
        _systemctl(["disable", "--now", *timers], is_user=is_user)
        for path in surplus:
            path.unlink()
    timers = [name for name in units if name.endswith(".timer")]
    # Also if the files are the same: somebody may have disabled them.
    _systemctl(["daemon-reload"], is_user=is_user)
    _systemctl(["enable", "--now", *timers], is_user=is_user)
    return Installed(SYSTEMD, [str(folder / name) for name in units], is_new)


def _folder(*, is_user: bool) -> Path:
    if not is_user:
        return SYSTEM
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "systemd" / "user"


def _units(place: Place, *, is_user: bool) -> list[Path]:
    paths = (_folder(is_user=is_user) / name for name in (*RUN, *NOTIFY))
    return [path for path in paths if _is_ours(path, place)]


def _is_ours(path: Path, place: Place) -> bool:
    if not path.is_file():
        return False
    return path.read_text("utf-8", "replace").split("\n")[0] == f"# {mark_of(place)}"


def _systemctl(words: Sequence[str], *, is_user: bool) -> None:
    _call(["systemctl", *(["--user"] if is_user else []), *words])


def _end(place: Place) -> str:
    return f"# End of what is for {place.config}"


def _crontab() -> str:
    """Return the user's crontab; "" without one.

    Raises `ConfigError` if it cannot be read: what is written next replaces all of it.
    """
    done = _started(["crontab", "-l"])
    if done.returncode == 0:
        return done.stdout
    # Its exit code is the same for whatever goes wrong, so only its words tell.
    if not any(words in done.stderr for words in NO_CRONTAB):
        raise _failed(["crontab", "-l"], done)
    return ""


def _without(crontab: str, place: Place) -> str:
    """Return a crontab without the block of this configuration."""
    kept, is_ours = [], False
    for line in crontab.splitlines(keepends=True):
        is_ours = is_ours or line.rstrip("\n") == f"# {mark_of(place)}"
        if not is_ours:
            kept.append(line)
        is_ours = is_ours and line.rstrip("\n") != _end(place)
    text = "".join(kept)
    return text if not text or text.endswith("\n") else f"{text}\n"


def _call(words: Sequence[str], text: str = "") -> None:
    done = _started(words, text)
    if done.returncode:
        raise _failed(words, done)


def _failed(words: Sequence[str], done: CompletedProcess[str]) -> ConfigError:
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return ConfigError(f"{' '.join(words)} failed: {lines[0]}; mend it and try again")


def _started(words: Sequence[str], text: str = "") -> CompletedProcess[str]:
    program = shutil.which(words[0])
    if program is None:
        raise ConfigError(
            f"there is no program {words[0]} here; install it, or name the other "
            "scheduler with --with"
        )
    return subprocess.run(  # noqa: S603 - found by its name, as the shell does
        [program, *words[1:]],
        input=text,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "LC_ALL": "C"},  # `_crontab` reads its words
    )

"""Nights: things happen, the real command runs, and what it published is compared."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness import events
from harness.answers import change_meanwhile, spoil_answers
from harness.calls import change_calls
from harness.history import (
    CHECK_FAILED,
    KILLED,
    MOST_MISSING,
    REFUSED,
    Copy,
    History,
)
from harness.launch import COMMAND, Planted
from harness.truth import living_rows, rows_of

from pipelines.planning.windows import DAY, read_time


def night(history: History) -> None:
    """Let things happen, run the command, compare, and heal."""
    history.pass_time(DAY)
    history.counts["nights"] += 1
    kind = events.night(history.rng, history.odds)
    change_calls(history)
    spoil_answers(history)
    history.say(f"night: {kind}")
    KINDS[kind](history)
    history.heal()


def quiet_night(history: History) -> None:
    history.pass_time(DAY)
    history.counts["nights"] += 1
    plain(history)


def plain(history: History) -> None:
    history.check(history.run())


def killed(history: History) -> None:
    """Kill the command, or a load of it, up to three times; then let it run."""
    for _ in range(history.rng.randint(1, 3)):
        place = history.rng.choice((COMMAND, *history.vendors))
        most = 30 if place == COMMAND else 400  # steps, as harness.kill_points counts
        step = history.rng.randint(1, most)
        kill = history.odds.kill or (place, step)
        done = history.run(planted=Planted(kill=kill))
        is_dead = done.code == KILLED or "exit code -9" in done.output
        history.counts[f"drawn: kill of {kind_of(place)}"] += 1
        history.counts[f"fault: kill of {kind_of(place)}"] += is_dead
        if done.code != KILLED:
            was_healthy, history.is_healthy = history.is_healthy, False
            history.check(done)
            history.is_healthy = was_healthy
    history.check(history.run())
    history.counts["recoveries"] += 1


def missed(history: History) -> None:
    """No run for some nights, whatever happens meanwhile."""
    for _ in range(history.rng.randint(1, 5)):
        history.pass_time(DAY)
        history.counts["fault: missed night"] += 1
    show_old_days(history)
    plain(history)


def show_old_days(history: History) -> None:
    """List again the hidden days that this night is the last to read.

    If it is the first as well, nobody can know that they have calls.
    """
    for vendor, day in [*history.hidden]:
        if day and not history.is_young(vendor, read_time(f"{day}T00:00:00Z")):
            history.control("blank", vendors=[vendor], blank=False)
            history.hidden.remove((vendor, day))
            history.say(f"{vendor} lists {day} again")


def at_once(history: History) -> None:
    """Of two runs at the same time one is refused, at least if they really meet."""
    both = [history.start("run", *history.named) for _ in range(2)]
    done = [history.ended(one) for one in both]
    refused = [one for one in done if one.code == REFUSED]
    history.counts["drawn: two at once"] += 1
    history.counts["fault: two at once"] += len(refused)
    ran = [one for one in done if one.code != REFUSED]
    if len(ran) != 1:
        codes = [one.code for one in done]
        history.wrong(f"two runs at once ended with {codes}", done[0].errors[-900:])
    history.check(ran[0])


def again(history: History) -> None:
    """The same night once more changes no row."""
    history.check(history.run())
    calm = history.is_healthy and not history.excused | history.hidden
    done = history.run()
    history.check(done)
    changed = {
        vendor: one["changed"] for vendor, one in done.loaded.items() if one["changed"]
    }
    if calm and changed:
        history.wrong(f"the same run again stored {changed} records")
    history.counts["fault: run again"] += calm


def backfill(history: History) -> None:
    """Load a range of days by hand, before the night."""
    days_back = history.rng.randint(0, (history.now - history.since).days)
    first = history.now - days_back * DAY
    last = min(first + history.rng.randint(0, 3) * DAY, history.now)
    force = ["--force"] if history.rng.random() < 1 / 2 else []
    days = ("--from", f"{first:%Y-%m-%d}", "--to", f"{last:%Y-%m-%d}")
    done = history.run("backfill", *days, *force)
    if done.code not in {0, 1}:
        history.wrong(f"a backfill ended with {done.code}", done.errors[-2000:])
    history.counts["fault: backfill"] += bool(done.complete)
    plain(history)


def restored(history: History) -> None:
    """An older copy of the warehouse is put back, and the next one is kept."""
    if history.copies:
        copy = history.rng.choice(history.copies)
        missing = Counter(
            key.vendor
            for key in history.deleted
            if key in copy.found.facts and key not in copy.found.deleted
        )
        if max(missing.values(), default=0) <= MOST_MISSING:
            shutil.rmtree(history.warehouse)
            shutil.copytree(copy.folder, history.warehouse, symlinks=True)
            history.counts["fault: older copy"] += 1
            history.say(f"the warehouse is {copy.folder.name} again")
    plain(history)
    keep_a_copy(history)


def keep_a_copy(history: History) -> None:
    folder = history.folder / f"copy-{history.now:%Y%m%d}"
    if not folder.exists():
        shutil.copytree(history.warehouse, folder, symlinks=True)
        history.copies.append(Copy(folder, history.before))


def wiped(history: History) -> None:
    """The folder that dlt works in is gone, as after a new machine."""
    shutil.rmtree(history.warehouse / "dlt", ignore_errors=True)
    history.counts["fault: dlt folder gone"] += 1
    plain(history)


def check_fails(history: History) -> None:
    """A build that breaks a check publishes nothing."""
    done = history.run(planted=Planted(does_check_fail=True))
    history.counts["fault: check fails"] += done.code == CHECK_FAILED
    if done.code != CHECK_FAILED:
        history.wrong(f"a check failed, and the exit code is {done.code}", done.errors)
    history.unchanged("a build whose check failed")
    plain(history)


def disk_full(history: History) -> None:
    """The disk is full: the run says so, and what is published stays."""
    with full_disk(history.warehouse) as is_full:
        if is_full:
            done = history.run()
            is_stopped = done.code in {REFUSED, CHECK_FAILED}
            history.counts["drawn: disk full"] += 1
            history.counts["fault: disk full"] += is_stopped
            if is_stopped:
                history.unchanged("a run on a full disk")
            else:  # it may have had room enough: then it is right as any other
                was_healthy, history.is_healthy = history.is_healthy, False
                history.check(done)
                history.is_healthy = was_healthy
    plain(history)


KINDS = {
    one.__name__: one
    for one in (
        *(plain, killed, missed, at_once, again, backfill),
        *(restored, wiped, check_fails, disk_full),
    )
}
"""What may happen to the process and its files, as `harness.events.NIGHTS` has it."""


def kind_of(place: str) -> str:
    return "the command" if place == COMMAND else "a load"


@contextmanager
def full_disk(folder: Path) -> Iterator[bool]:
    """Put a folder on a small disk with no room, where root may mount one."""
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.mkdir()
    sizes = [4 + (one.lstat().st_size >> 10) for one in aside.rglob("*")]
    room = f"size={sum(sizes) + 200}k"
    mount = ["/usr/bin/mount", "-t", "tmpfs", "-o", room, "none", str(folder)]
    is_mounted = os.geteuid() == 0 and not subprocess.run(mount, check=False).returncode
    try:
        if is_mounted:
            shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)
        yield is_mounted
    finally:
        if is_mounted:
            shutil.copytree(folder / "raw", aside / "raw", dirs_exist_ok=True)
            subprocess.run(["/usr/bin/umount", str(folder)], check=True)
        folder.rmdir()
        aside.rename(folder)


def live(history: History, nights: int, quiet: int = 2) -> None:
    """Live through a history: eventful nights, and quiet ones at its end."""
    history.counts["nights"] += 1
    history.say("first night")
    for vendor in history.vendors:
        if history.rng.random() < history.odds.meanwhile:
            change_meanwhile(history, vendor)
    if history.odds.first:
        spoil_answers(history)
    if history.odds.nights is None or history.odds.nights.get("killed"):
        killed(history)
    else:
        plain(history)
    history.heal()
    keep_a_copy(history)
    for _ in range(nights):
        night(history)
    for _ in range(quiet):
        quiet_night(history)
    if quiet:
        history.examine()
        build_anew(history)
        load_at_once(history)


def build_anew(history: History) -> None:
    """All tables, built again from the raw files, are those of the nights."""
    before = rows_of(history.published)
    done = history.ended(history.start("transform", "--full"))
    if done.code != 0:
        history.wrong(f"a full build ended with {done.code}", done.errors[-2000:])
    after = rows_of(history.published)
    others = [name for name in {*before, *after} if before.get(name) != after.get(name)]
    if others:
        history.wrong(f"a full build has other rows in {sorted(others)}")
    history.counts["full builds equal"] += 1


def load_at_once(history: History) -> None:
    """A warehouse that is loaded by one run has the calls of all these nights."""
    once = replace(history, folder=history.folder / "once")
    once.folder.mkdir()
    once.check(once.run())
    lived, loaded = (living_rows(one.published) for one in (history, once))
    found = history.before
    shared = [
        key
        for key in sorted(lived.keys() & loaded.keys())
        if not found.is_unproven(key, found.facts[key][0])
    ]
    others = [
        f"{key}: {lived[key]} and {loaded[key]}"
        for key in shared
        if lived[key] != loaded[key]
    ]
    if others:
        history.wrong("calls differ by how they were loaded", *others)
    history.counts["calls equal to one load"] += len(shared)

"""Make single wrong edits of the code, a sample of them, and count what tests notice.

    make mutants                            # forty of SQL, forty of Python
    make mutants ARGS="--seed 2 --sample 30 sql"
    make mutants ARGS="--replay 1f2e3d4c5b6a"  # one of them, with what pytest says

Each edit is made in a copy of the repository, where the tests of that file run until
one fails: first those of every commit, then the longer ones. A larger sample of a seed
begins with the smaller one. What was found is kept in .mutants/results.jsonl: a run
that was stopped goes on, and a survivor is tried again once the tests are others. Edits
that change nothing stand in equivalent.toml.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Lock
from time import monotonic

from edits import Mutant
from python_edits import python_edits
from sql_edits import sql_edits

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".mutants"
COPIED = ("pipelines", "transforms", "tests", "config", "docs", "pyproject.toml")
EDITS = {"sql": sql_edits, "python": python_edits}
LONGEST_TEST, LONGEST = 180, 900
"""Seconds that a test of an edit gets, and that a group of tests gets: an edit that
never ends is noticed, too."""
LAYERS = ("not soak", "soak")
NO_TESTS = 5
"""What pytest ends with where a file has none of a layer."""
FACTS = (
    "transforms/test_cases",
    "transforms/test_contracts",
    "transforms/test_apart",
)
EDGES = ("transforms/test_contract_edges",)
COVERAGE = ("transforms/test_coverage",)
HEADERS = ("transforms/test_model_headers", "transforms/test_runner")
LEDGERS = ("transforms/test_ledgers",)
FIELDS = ("transforms/test_vendor_fields",)
MARTS = ("transforms/test_marts",)
CENTERS = ("transforms/test_cost_centers",)
CONFIG = ("config/test_config", "config/test_wrong_inputs config/test_fx_rates")
TESTS: dict[str, Sequence[str]] = {
    "transforms/models/*.check.sql": ("transforms/test_checks", *FACTS),
    "transforms/models/ops/absences.sql": ("load/test_absences",),
    "transforms/models/ops/missing_rates.sql": ("config/test_fx_rates", *FACTS),
    "transforms/models/ops/quarantine.sql": LEDGERS,
    "transforms/models/ops/*field*.sql": FIELDS,
    "transforms/models/*cost_center*.sql": (*CENTERS, *FACTS),
    "transforms/models/*invoice*.sql": ("transforms/test_invoices",),
    "transforms/models/ops/latest_window_reads.sql": (*LEDGERS, *COVERAGE),
    "transforms/models/ops/reconciliation.sql": (*LEDGERS, *COVERAGE),
    "transforms/models/ops/*.sql": (*COVERAGE, *FACTS),
    "transforms/models/intermediate/coverage/*.sql": COVERAGE,
    "transforms/models/*fx*.sql": ("config/test_fx_rates", *FACTS),
    "transforms/models/*.rebuild.sql": (
        *FACTS,
        "transforms/test_rate_cards",
        *CENTERS,
    ),
    "transforms/models/facts/fact_calls.sql": (*FACTS, *CENTERS),
    "transforms/models/dims/dim_dates.sql": (*MARTS, *FACTS),
    "transforms/models/marts/*.sql": (*FACTS, *MARTS),
    "transforms/models/intermediate/phone_numbers.sql": (
        *FACTS,
        "transforms/test_phone_numbers",
    ),
    "transforms/models/intermediate/rate_card_lines.sql": (
        *FACTS,
        "transforms/test_rate_cards",
    ),
    "transforms/models/intermediate/billing/*.sql": (
        *FACTS,
        *MARTS,
        "transforms/test_rate_cards",
        "transforms/test_final_costs",
    ),
    "transforms/models/staging/evovoice/*.sql": (
        *FACTS,
        *EDGES,
        "sources/evovoice/test_evovoice_rating",
        "sources/evovoice/test_evovoice_payers",
        "sources/evovoice/test_evovoice_semantics",
    ),
    "transforms/models/staging/twin/*.sql": (
        *FACTS,
        *EDGES,
        "sources/twin/test_twin_semantics",
    ),
    "transforms/models/staging/voximplant/*.sql": (
        *FACTS,
        *EDGES,
        "sources/voximplant/test_voximplant_truth",
        "sources/voximplant/test_voximplant_semantics",
    ),
    "transforms/models/staging/whippy/*.sql": (
        *FACTS,
        *EDGES,
        "sources/whippy/test_whippy_semantics",
    ),
    "transforms/models/staging/zoom/*.sql": (
        *FACTS,
        *EDGES,
        "sources/zoom/test_zoom_charges",
        "sources/zoom/test_zoom_engagements",
        "sources/zoom/test_zoom_semantics",
    ),
    "transforms/models/staging/*.sql": (*FACTS, *EDGES),
    "transforms/models/*.sql": FACTS,
    "pipelines/planning/pending.py": (
        "planning/test_pending_days",
        "planning/test_pending",
    ),
    "pipelines/planning/request_budget.py": ("planning/test_request_budget",),
    "pipelines/planning/*.py": (
        "planning/test_deletion planning/test_stream",
        "planning/test_planner planning/test_windows",
        "extract/test_resources extract/test_spans",
    ),
    "pipelines/extract/pagination.py": (
        "extract/test_pagination",
        "extract/test_client",
        "extract/test_resources",
        "extract/test_wire",
        "sources/test_sources_semantics",
        "sources/*/test_*_semantics",
    ),
    "pipelines/extract/window_reader.py": (
        "extract/test_window_reader",
        "extract/test_resources",
        "sources/test_sources_semantics",
        "load/test_quarantine",
    ),
    "pipelines/extract/spans.py": ("extract/test_spans", "extract/test_resources"),
    "pipelines/extract/rate_limit.py": (
        "extract/test_rate_limit",
        "extract/test_client",
    ),
    "pipelines/config/rate_cards.py": (*CONFIG, "transforms/test_rate_cards"),
    "pipelines/config/fx_rates.py": ("config/test_fx_table", *CONFIG),
    "transforms/runner/phone_numbers.py": ("transforms/test_phone_numbers", *FACTS),
    "transforms/runner/times.py": ("planning/test_windows", *FACTS, *EDGES),
    "transforms/runner/parsing.py": HEADERS,
    "transforms/runner/model.py": (*HEADERS, "test_conventions"),
}
"""By file, the first that fits: its tests, those first that cost least."""


@dataclass(frozen=True)
class Result:
    """What became of one edit."""

    name: str
    noticed_by: str | None
    """The tests that failed, or None: it survived."""
    tests: str
    """The digest of all tests."""
    seconds: float


def mutants(language: str) -> list[Mutant]:
    """Return every edit of every file of TESTS in this language."""
    ending = {"sql": ".sql", "python": ".py"}[language]
    paths = [path for path in ROOT.glob("*/**/*") if path.suffix == ending]
    names = sorted(path.relative_to(ROOT).as_posix() for path in paths)
    found: list[Mutant] = []
    for name in names:
        if any(fnmatchcase(name, pattern) for pattern in TESTS):
            text = (ROOT / name).read_text("utf-8")
            found += [
                Mutant(language, name, text, one) for one in EDITS[language](text)
            ]
    return found


def sampled(language: str, seed: int, size: int) -> list[Mutant]:
    """Return the first ones of all edits, in an order that the seed makes.

    An edit keeps its place among the others when files change.
    """
    known = equivalents()
    every = sorted(
        mutants(language),
        key=lambda one: sha256(f"{seed} {one.name}".encode()).digest(),
    )
    fit = (one for one in every if (one.file, one.diff) not in known)
    return list(islice(fit, size))


def equivalents() -> dict[tuple[str, str], str]:
    """Return why an edit, by file and diff, changes nothing."""
    with Path(__file__).with_name("equivalent.toml").open("rb") as file:
        listed = tomllib.load(file)["equivalent"]
    return {(one["file"], one["diff"].strip("\n")): one["why"] for one in listed}


def tests_of(mutant: Mutant) -> Sequence[str]:
    """Return the groups of test files that look at the file of an edit."""
    return next(
        tests for pattern, tests in TESTS.items() if fnmatchcase(mutant.file, pattern)
    )


def digest_of_tests() -> str:
    """Return a digest of all tests and their data."""
    digest = sha256()
    for path in sorted((ROOT / "tests").rglob("*")):
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and path.suffix != ".pyc" and "/mutants/" not in name:
            digest.update(name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


class Copy:
    """A copy of the repository, in which one edit at a time is made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in COPIED:
            if (ROOT / name).is_dir():
                passed = shutil.ignore_patterns("__pycache__", ".hypothesis")
                shutil.copytree(ROOT / name, folder / name, ignore=passed)
            else:
                shutil.copy(ROOT / name, folder / name)

    def noticed(self, mutant: Mutant, *, loud: bool = False) -> str | None:
        """Return the first tests that fail with an edit; the copy is then as it was."""
        path = self.folder / mutant.file
        try:
            self.write(path, mutant.changed)
            return next(
                (
                    group
                    for layer in LAYERS
                    for group in tests_of(mutant)
                    if self.fails(group, layer, loud=loud)
                ),
                None,
            )
        finally:
            self.write(path, mutant.text)

    def write(self, path: Path, text: str) -> None:
        path.write_text(text, "utf-8")
        # An edit of the same length in the same second would run as compiled before.
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()

    def fails(self, group: str, layer: str, *, loud: bool = False) -> bool:
        """Return True if a test of a group of files fails, or does not end."""
        inside = self.folder / "tests"
        files = [path for name in group.split() for path in inside.glob(f"{name}.py")]
        options = (
            "-n0",
            "-xq",
            f"-m={layer}",
            f"--timeout={LONGEST_TEST}",
            "--hypothesis-seed=0",
            "--hypothesis-profile=unshrunk",
            "--basetemp",
            self.folder / "tmp",
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *sorted(files)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            stdout=None if loud else subprocess.DEVNULL,
            stderr=None if loud else subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return process.wait(LONGEST) not in {0, NO_TESTS}
        except subprocess.TimeoutExpired:
            return True
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def known_results(tests: str) -> dict[str, Result]:
    """Return what earlier runs found, as far as these tests would find it again."""
    kept = KEPT / "results.jsonl"
    lines = kept.read_text("utf-8").splitlines() if kept.exists() else []
    found = [Result(**json.loads(line)) for line in lines]
    return {one.name: one for one in found if one.noticed_by or one.tests == tests}


def measured(wanted: Sequence[Mutant], jobs: int) -> Iterator[tuple[Mutant, Result]]:
    """Yield each edit with its result, as it comes."""
    tests = digest_of_tests()
    known = known_results(tests)
    yield from ((one, known[one.name]) for one in wanted if one.name in known)
    missing = [one for one in wanted if one.name not in known]
    if not missing:
        return
    with TemporaryDirectory(dir=KEPT) as folder:
        free: SimpleQueue[Copy] = SimpleQueue()
        for number in range(jobs):
            free.put(Copy(Path(folder, f"{number}")))
        yield from tried(free, missing, tests)


def tried(
    free: SimpleQueue[Copy], wanted: Sequence[Mutant], tests: str
) -> Iterator[tuple[Mutant, Result]]:
    """Yield each edit with its result, and keep that."""
    writing, passed = Lock(), set[str]()

    def result_of(mutant: Mutant) -> tuple[Mutant, Result]:
        copy, started = free.get(), monotonic()
        try:
            noticed = copy.noticed(mutant)
            seconds = round(monotonic() - started, 1)
            if noticed and noticed not in passed:
                refuse_failing(copy, noticed)
                passed.add(noticed)
        finally:
            free.put(copy)
        result = Result(mutant.name, noticed, tests, seconds)
        with writing, (KEPT / "results.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(vars(result)) + "\n")
        return mutant, result

    with ThreadPoolExecutor(free.qsize()) as pool:
        yield from pool.map(result_of, wanted)


def refuse_failing(copy: Copy, group: str) -> None:
    """Stop if tests fail without any edit: they would notice all."""
    if any(copy.fails(group, layer) for layer in LAYERS):
        raise SystemExit(f"tests fail without any edit, mend them first: {group}")


def report(found: Sequence[tuple[Mutant, Result]]) -> Iterator[str]:
    """Yield the lines of the report: survivors, then scores."""
    for mutant, result in found:
        if result.noticed_by is None:
            yield f"\n{mutant.place} ({mutant.edit.kind}, {mutant.name})\n{mutant.diff}"
    for language in EDITS:
        rows = [(one.edit.kind, how) for one, how in found if one.language == language]
        if not rows:
            continue
        yield f"\n{language:<14}{score([how for _, how in rows])}"
        for kind in sorted({kind for kind, _ in rows}):
            yield f"  {kind:<12}{score([how for name, how in rows if name == kind])}"


def score(results: Sequence[Result]) -> str:
    """Return how many were noticed, of how many."""
    noticed = sum(one.noticed_by is not None for one in results)
    return f"{noticed:>4} of {len(results):>4}  {noticed / len(results):>4.0%}"


def replay(name: str) -> None:
    """Make one edit, and show what its tests say."""
    every = [one for language in EDITS for one in mutants(language)]
    mutant = next((one for one in every if one.name == name), None)
    if mutant is None:
        raise SystemExit(f"no edit is named {name}; its file may be another one now")
    print(f"{mutant.place}\n{mutant.diff}", flush=True)  # noqa: T201
    with TemporaryDirectory(dir=KEPT) as folder:
        noticed = Copy(Path(folder, "copy")).noticed(mutant, loud=True)
    print(noticed or "survived")  # noqa: T201


def main() -> None:
    """Measure a sample, or replay one edit."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("languages", nargs="*", metavar="sql|python")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--sample", type=int, default=40, help="of each language")
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--replay", metavar="NAME", help="of one edit, as reported")
    given = options.parse_args()
    KEPT.mkdir(exist_ok=True)
    if given.replay:
        return replay(given.replay)
    wanted: list[Mutant] = []
    for language in given.languages or EDITS:
        wanted += sampled(language, given.seed, given.sample)
    found: list[tuple[Mutant, Result]] = []
    for mutant, result in measured(wanted, given.jobs):
        found.append((mutant, result))
        what = result.noticed_by or "SURVIVED"
        place = f"{len(found)}/{len(wanted)} {mutant.place}"
        print(f"{place} {mutant.edit.kind}: {what}, {result.seconds} s", flush=True)  # noqa: T201
    print("\n".join(report(found)))  # noqa: T201
    return None


if __name__ == "__main__":
    main()

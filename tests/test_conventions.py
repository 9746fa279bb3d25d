"""What every vendor, model and command of this repository has in common."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec
import pytest
import sqlglot
import typer
from conftest import VENDORS
from test_add_a_vendor import FILES as GUIDE_FILES
from typer.core import TyperGroup

from pipelines.cli.app import app
from pipelines.commands import write_docs as docs
from pipelines.planning import reasons
from pipelines.sources import settings_of, streams_of, vendors
from pipelines.warehouse.number_protection import UNITS
from transforms.runner.graph import is_raw, lint
from transforms.runner.model import PERSONAL, TAGS, read_model

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "transforms/models"
PRIVATE = re.compile(
    r"\b(?:told|said|held|tonight|agenda|foresight|pile|carded|Refusal|Allowance)\b"
    r"|(?<!every )(?<!at )\bnights?\b|\b[Tt]ell whether\b"
    r"|(?<![Tt]here )(?<![Ww]here )\bis no "
    r"(?:JSON|date|rate|currency|number|amount|call)\b"
)
"""Words that a data engineer would have to learn here, and the field has a word for."""
PRODUCT = ("pipelines", "transforms", "config", "docs", "README.md", "CONTRIBUTING.md")
LONGEST_SOURCE = 220
"""In lines: a source says what is special about its vendor, and nothing else."""
NOTES = [
    "What the API is",
    "Endpoints and parameters",
    "Authentication",
    "Paging",
    "Rate limits and quotas",
    "Time and date filters",
    "Records and ids",
    "Money and units",
    "Errors",
    "Retention",
    "Late changes and deletions",
    "Open questions",
]
"""The sections of every page of notes, in order."""
FORBIDDEN = {"utils", "helpers", "common", "misc", "base", "core", "manager"}
FORBIDDEN |= {"settings"}
FACT_CALLS = """
call_key vendor account vendor_call_id parent_call_key direction call_type
started_at answered_at ended_at call_date started_at_local call_hour
customer_number business_number customer_number_kind country
outcome outcome_stage vendor_outcome hangup_by
total_seconds line_seconds ring_seconds ivr_seconds queue_seconds callback_seconds
talk_seconds hold_seconds wrap_seconds handle_seconds bot_seconds ai_seconds
transfer_seconds billed_seconds duration_basis
leg_count agent_count queue_count attempt_count
is_answered is_answered_by_person is_abandoned is_voicemail is_transferred
is_bot_handled is_self_service is_contained is_recorded
cost_total cost_telephony cost_transfer cost_bot cost_ai cost_recording
cost_transcription cost_other cost_unallocated currency cost_source cost_status
cost_reporting reporting_currency fx_rate
agent_name queue_name payer_kind payer_id payer_name cost_center cost_center_rule
language sentiment rating nps
is_settled is_deleted is_erased first_loaded_at last_loaded_at load_id
"""
"""The contract with whoever queries the table."""
MACHINES = re.compile(
    r"(?<![\w.:/])/(?:home|Users|root|work|mnt)/\w"
    r"|https?://[\w.-]*(?:pypi|pythonhosted|artifactory|nexus|registry)"
)
PHONE = re.compile(r"\+\d[\d ()-]{6,17}\d|[\"']\d{10,15}[\"']")
FICTION = re.compile(
    r"1?\d{3}55501\d\d|1555\d{7}|44207946\d{0,4}|7000000\d{4}"  # reserved for it
    r"|4402079460123|44(0)?7700900\d{3}|3319900\d{4}|493023125\d{3}|61491570006"
    r"|390?[26]12345678|3903311234567|390669812345|3780549886377"  # shapes of a plan
    r"|102025550123|24101234567|2250707123456?|391234567|39033112345678?|39(0{1,2})[26]\d{8}"
    r"|8[01]000000003|7(4930|[79]000)000003|266696687|17378742833|9990+"  # nobody's
    r"|(\d)\1+|1234567890|\d{4}(0[1-9]|1[0-2])\d+"
)

CITED = re.compile(r"(?<![\w/.:*>-])(?:\.\./)*((?:[\w-]+/)*[\w-]+\.md)\b")
SECTION = re.compile(
    rf"(?:{CITED.pattern},[\s#>-]*)?\bsections?[\s#>-]+(\d+)(?:[\s#>-]+and[\s#>-]+(\d+))?"
)
"""A number of a section, and where it follows a file's name, that file."""


def files() -> Iterator[Path]:
    """Yield the text files that belong to the repository."""
    for line in (ROOT / ".gitignore").read_text().splitlines():
        assert not line.startswith("!"), "this reads plain exclusions only"
    ignored = (ROOT / ".gitignore").read_text().split()
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT)
        names = {f"{inside}", f"/{inside.parts[0]}/", f"*{path.suffix}"}
        names |= {f"{part}/" for part in inside.parts}
        ignored_here = names & {*ignored} or path.suffix in {".xz", ".png"}
        if path.is_file() and inside.parts[0] != ".git" and not ignored_here:
            yield path


def columns(model: str) -> list[str]:
    text = (MODELS / f"{model}.sql").read_text()
    query = sqlglot.parse_one(text, dialect="duckdb")
    assert isinstance(query, sqlglot.exp.Query)
    return [str(name) for name in query.named_selects]


def test_the_vendors_are_the_five() -> None:
    assert vendors() == VENDORS


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_has_one_name_everywhere(vendor: str) -> None:
    assert (ROOT / f"pipelines/sources/{vendor}.py").exists()
    configured = tomllib.loads((ROOT / "config/config.toml").read_text())
    secrets = tomllib.loads((ROOT / "config/secrets.example.toml").read_text())
    assert vendor in configured["sources"]
    assert secrets["sources"][vendor]["accounts"]["main"].keys()
    assert (MODELS / f"staging/{vendor}/{vendor}__calls.sql").exists()
    for word in ("outcomes", "cost_components"):
        seed = (ROOT / f"transforms/seeds/{word}.csv").read_text().splitlines()[1:]
        assert {line.split(",")[0] for line in seed} <= {*VENDORS}


def test_no_section_and_no_model_is_of_an_unknown_vendor() -> None:
    configured = tomllib.loads((ROOT / "config/config.toml").read_text())
    assert sorted(configured["sources"]) == sorted(VENDORS)
    staging = [path.relative_to(MODELS) for path in MODELS.glob("staging/**/*.sql")]
    assert {path.parts[1] for path in staging} == {*VENDORS, "unions"}
    for path in staging:
        vendor, separator, _ = path.name.partition("__")
        assert path.parts[1] == (vendor if separator else "unions"), path


def test_a_query_beside_the_sources_is_of_a_stream_of_its_vendor() -> None:
    for path in sorted((ROOT / "pipelines/sources/queries").iterdir()):
        vendor, use = path.stem.split("_")
        found = [getattr(stream, use) for stream in streams_of(vendor)]
        assert path.read_text("utf-8") in found, path.name


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_streams_of_the_notes_are_those_of_the_source(vendor: str) -> None:
    rows = docs.listed(vendor)
    assert {tuple(row) for row in rows} == {docs.STREAMS}
    named = [(row["stream"], row["table"]) for row in rows]
    assert named == [(stream.name, stream.table) for stream in streams_of(vendor)]
    assert docs.limits(vendor)
    assert docs.questions(vendor)


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_source_has_the_same_parts_in_the_same_order(vendor: str) -> None:
    text = (ROOT / f"pipelines/sources/{vendor}.py").read_text("utf-8")
    parts = ["class Settings(", "\nSTREAMS = ", "def connect(", "\nMEANINGS = {"]
    parts.append("def _classify_error(")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert text.count("\n") <= LONGEST_SOURCE


def test_the_model_that_the_page_of_the_runner_shows_is_one(tmp_path: Path) -> None:
    page = (MODELS.parent / "runner/README.md").read_text("utf-8")
    (tmp_path / "marts").mkdir()
    (tmp_path / "marts/example.sql").write_text(
        page.partition("```sql\n")[2].partition("```")[0]
    )
    assert lint(tmp_path) == []
    tags = set(re.findall(r"^\| `@(\w+)` \|", page, flags=re.MULTILINE))
    assert tags == TAGS


def test_the_readme_says_of_the_vendors_what_their_sources_say() -> None:
    readme = (ROOT / docs.VENDORS_PAGE).read_text("utf-8")
    assert readme == docs.renewed(readme), "run: make docs"


@pytest.mark.parametrize("marks", [(), docs.MARKS[:1], docs.MARKS[::-1]])
def test_a_readme_without_both_marks_is_refused(marks: tuple[str, ...]) -> None:
    with pytest.raises(docs.DocsError, match=r"lacks the lines <!-- vendors --> and"):
        docs.renewed("\n".join(["# Callhouse", *marks]))


def test_the_schema_page_says_what_the_models_say() -> None:
    assert (ROOT / docs.SCHEMA).read_text("utf-8") == docs.schema(), "run: make docs"
    assert (ROOT / docs.FIELDS).read_text("utf-8") == docs.fields(), "run: make docs"


def test_the_page_of_metrics_says_what_the_models_say() -> None:
    assert (ROOT / docs.METRICS).read_text("utf-8") == docs.metrics(), "run: make docs"


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = {path.stem for path in files() if path.suffix == ".py"}
    names |= {path.parent.name for path in files() if path.suffix == ".py"}
    assert not names & FORBIDDEN


def test_no_private_word_is_left() -> None:
    found = [
        f"{inside}: {match[0]}"
        for path in files()
        for inside in [path.relative_to(ROOT)]
        if f"{inside}".startswith(PRODUCT)
        if path.suffix in {".py", ".sql", ".md", ".toml"}
        for match in PRIVATE.finditer(path.read_text("utf-8"))
    ]
    assert found == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files()
        for match in MACHINES.finditer(path.read_text("utf-8"))
    ]
    assert found == []


def broken_citations(place: Path, text: str, pages: Mapping[Path, str]) -> list[str]:
    """Return the pages and sections that a text names and that are not there.

    A page is named by the end of its path. A section without a page is one of the text
    itself where that is a page; elsewhere it could be anybody's.
    """

    def named(name: str | None) -> list[str]:
        if name is None:
            return [text] if place.suffix == ".md" else []
        ending = PurePosixPath(name)
        return [said for path, said in pages.items() if path.match(str(ending))]

    broken = [name for name in CITED.findall(text) if not named(name)]
    for found in SECTION.finditer(text):
        name, *numbers = found.groups()
        for number in filter(None, numbers):
            head = re.compile(rf"^#+ {number}\. ", re.MULTILINE)
            if not any(map(head.search, named(name))):
                broken.append(" ".join(found[0].split()))
    return [f"{place}: {one}" for one in broken]


def test_every_page_and_section_that_is_cited_is_there() -> None:
    texts = {
        path.relative_to(ROOT): path.read_text("utf-8")
        for path in files()
        if path.suffix != ".lock"
    }
    pages = {path: text for path, text in texts.items() if path.suffix == ".md"}
    pages |= {Path(name): text for name, text in GUIDE_FILES if name.endswith(".md")}
    broken = [
        one
        for path, text in texts.items()
        for one in broken_citations(path, text, pages)
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("text", "is_there"),
    [
        ("(here@, § 2)", True),
        ("(here@,\n-- § 2), and\nthere/here@", True),
        ("(here@, §s 1 and 2)", True),
        ("[a link](../here@), http://elsewhere.example/gone@, *@", True),
        ("(gone@)", False),
        ("(elsewhere/here@)", False),
        ("(where@)", False),
        ("(here@, § 9)", False),
        ("(here@, §s 1 and 9)", False),
        ("(here@,\n    -- §\n    -- 9)", False),
        ("(§ 2)", False),  # of which page?
    ],
)
def test_a_citation_that_points_to_nothing_is_found(
    text: str, *, is_there: bool
) -> None:
    pages = {
        Path("there/here").with_suffix(".md"): "# A page\n\n## 1. One\n\n## 2. Two\n"
    }
    cited = text.replace("@", ".md").replace("§", "section")  # or this file would cite
    assert (broken_citations(Path("a.sql"), cited, pages) == []) == is_there


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_notes_of_every_vendor_have_the_same_sections(vendor: str) -> None:
    notes = docs.notes(vendor)
    assert re.findall("^## [0-9]+[.] (.*)", notes, re.MULTILINE) == NOTES
    numbers = re.findall("^## ([0-9]+)[.]", notes, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(NOTES) + 1)]


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_notes_of_every_vendor_name_the_least_rights(vendor: str) -> None:
    notes = (ROOT / f"pipelines/sources/{vendor}.md").read_text("utf-8")
    _, _, rest = notes.partition("\n## 3. Authentication\n")
    assert rest.partition("\n## 4. ")[0].count("- **Least rights**: ") == 1


def test_two_modules_write_csv_and_escape_what_a_spreadsheet_runs() -> None:
    """The exchange rates have no text of a vendor; a query's answer escapes it."""
    writes = re.compile(
        r"csv\.(?:Dict)?[wW]riter|to_csv|write_csv|format csv|\bcopy\b.*\.csv"
    )
    found = {
        str(path.relative_to(ROOT))
        for folder in ("pipelines", "transforms")
        for suffix in ("py", "sql")
        for path in (ROOT / folder).rglob(f"*.{suffix}")
        if writes.search(path.read_text("utf-8"))
    }
    assert found == {"pipelines/config/fx_rates.py", "pipelines/cli/query_view.py"}


def test_no_file_holds_a_phone_number_that_could_ring() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files()
        if path.suffix != ".lock" and path.name != "edges.json"  # amounts, not numbers
        for match in PHONE.finditer(path.read_text("utf-8"))
        if not FICTION.fullmatch(re.sub(r"\D", "", match[0]))
    ]
    assert found == []


@pytest.mark.parametrize("kind", ["calls", "costs", "legs", "agents", "queues"])
def test_every_column_of_a_vendor_is_one_of_the_unions(kind: str) -> None:
    known = columns(f"staging/unions/{kind}")
    paths = sorted(MODELS.glob(f"staging/*/*__{kind}.sql"))
    assert paths
    for path in paths:
        given = columns(f"staging/{path.parent.name}/{path.stem}")
        assert set(given) <= set(known), path.name
        assert given == sorted(given, key=known.index), f"{path.name}: another order"


@pytest.mark.parametrize("kind", ["calls", "costs", "legs", "agents", "queues"])
def test_every_column_of_a_vendor_says_which_field_it_is(kind: str) -> None:
    for path in sorted(MODELS.glob(f"staging/*/*__{kind}.sql")):
        model = read_model(path, MODELS)
        told = {column.name for column in model.columns}
        silent = {*model.selected} - told
        known = {"account", "vendor_call_id", "unmapped_values"}
        assert silent <= known, path.name


def test_every_relation_that_a_model_reads_has_a_file_or_a_row_of_the_inputs() -> None:
    rows = (MODELS / "inputs.md").read_text("utf-8").splitlines()
    described = {row.split("`")[1] for row in rows if row.startswith("| `")}
    files = [read_model(path, MODELS) for path in sorted(MODELS.rglob("*.sql"))]
    made = {model.table for model in files}
    read = {
        "raw.<vendor>__<table>" if is_raw(found) else found.name
        for model in files
        for found in model.references
    }
    assert read - made == described


def test_no_model_of_all_vendors_names_one() -> None:
    words = re.compile("|".join(VENDORS), re.IGNORECASE)
    found = [
        f"{path.relative_to(MODELS)}: {match[0]}"
        for path in MODELS.rglob("*.*")
        if path.parent.name not in VENDORS
        for match in words.finditer(path.read_text("utf-8"))
    ]
    assert found == []


def test_every_column_that_is_stored_says_what_it_is_and_what_null_means() -> None:
    assert lint(MODELS) == []


def test_a_column_that_may_have_a_phone_number_says_whose_data_it_is() -> None:
    models = [read_model(path, MODELS) for path in sorted(MODELS.rglob("*.sql"))]
    columns = [column for model in models for column in model.columns]
    assert {one.unit for one in columns} >= UNITS.keys()
    assert [one for one in columns if one.unit in UNITS and not one.personal] == []
    assert {one.personal for one in columns} == {None, *PERSONAL}


def test_a_build_accepts_every_reason_that_a_load_writes_down() -> None:
    written = {value for name, value in vars(reasons).items() if name.isupper()}
    model = read_model(MODELS / "ops/load_windows.sql", MODELS)
    assert written == {*dict(model.accepted)["reason"]}


def test_the_columns_of_fact_calls_are_the_contract() -> None:
    assert columns("facts/fact_calls") == FACT_CALLS.split()


def test_every_command_and_every_option_has_help() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    for name, command in group.commands.items():
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_setting_has_a_value_or_is_needed(vendor: str) -> None:
    fields = msgspec.structs.fields(settings_of(vendor))
    assert next(one.default for one in fields if one.name == "base_url")
    assert [one.name for one in fields if one.default is None] == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_only_the_table_of_the_calls_is_judged_for_what_vanished(vendor: str) -> None:
    """The models know a vanished record by its id: one table of a vendor has those."""
    judged = [
        stream
        for stream in streams_of(vendor)
        if not stream.is_full_refresh and stream.complete_for
    ]
    assert len({stream.table for stream in judged}) == 1
    assert all(stream.calls and stream.is_by_own_time for stream in judged)

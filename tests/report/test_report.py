"""The report: its numbers are those of SQL, and a browser shows every page of it."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import callhouse
from playwright.sync_api import Browser, Page, sync_playwright
from raw_files import LEDGER, NOW, RawFiles, Record, whippy_call

from pipelines.commands.report import report_after_publish, write_report
from pipelines.commands.rollback import roll_back
from pipelines.commands.unfinished import build_and_finish
from pipelines.config.cost_centers import CostCenterRule
from pipelines.config.fx_rates import FxRate
from pipelines.config.invoices import Invoice
from pipelines.config.privacy import Privacy
from pipelines.config.report import Report
from pipelines.planning.windows import DAY, read_time
from pipelines.report.charts import CHARTS, PAGES
from pipelines.report.page import page_of
from pipelines.report.tables import QUERIES, as_columns, read_tables
from pipelines.warehouse.published_queries import rows_of_sql

CASES = Path(__file__).parents[1] / "cases"
FOLDERS = (
    *("costs/zoom_legs", "costs/twin_parts", "costs/voximplant_components"),
    *("costs/evovoice_lines", "metrics/queues", "people/zoom_people"),
    *("people/whippy_bot_and_person", "durations/zoom_handled"),
)
NUMBER = "+44 20 7946 0123"
HOSTILE = "</script><script>document.title = 'run'</script>"
TABS = [re.sub("[^a-z]+", "-", page.lower()).strip("-") for page in PAGES]
MARCH = date(2026, 3, 1)
CALLS = "select count(*) from fact_calls where not is_deleted"
SIZES = {"wide": (1200, 900), "phone": (390, 844)}


def of_many_vendors(folder: Path) -> RawFiles:
    """Give calls of five vendors, with all that a page can show."""
    accounts: dict[str, list[str]] = {"whippy": ["main"]}
    made = RawFiles(
        folder,
        accounts=accounts,
        invoices=(Invoice(1, "twin", "twin_parts", MARCH, Decimal(90), "RUB", None),),
        cost_centers=(CostCenterRule(1, "*", "queue_name", "*", "Support"),),
        rates=(FxRate(MARCH, "EUR", "USD", Decimal("1.2"), "ECB"),),
    )
    records: dict[tuple[str, str], dict[tuple[str, str], Record]] = {}
    for name in FOLDERS:
        account = Path(name).name
        for line in (CASES / name / "loads.jsonl").read_text("utf-8").splitlines():
            one = json.loads(line)
            record = (account, one["id"], read_time(one["at"]), one["payload"])
            loaded = records.setdefault((one["vendor"], one.get("table", "")), {})
            loaded[account, one["id"]] = record  # its last version
            if account not in accounts.setdefault(one["vendor"], []):
                accounts[one["vendor"]].append(account)
    for (vendor, table), found in records.items():
        made.load(vendor, [*found.values()], table)
    account, name, at, payload = whippy_call("hostile", NOW - DAY / 2)
    named = {"agent_id": HOSTILE, "user_id": f"Ann, {NUMBER}", "from": NUMBER}
    made.load("whippy", [(account, name, at, {**payload, **named})])
    for start, state in ((NOW - 3 * DAY, "complete"), (NOW - 2 * DAY, "partial")):
        row = ("main", "calls", start, start + DAY, "nightly", state, 1, 0, 1, NOW)
        made.write("whippy", "load_windows", LEDGER, [(*row, None, None, NOW)])
    made.build()
    return made


def of_no_call(folder: Path) -> RawFiles:
    folder.mkdir()
    hidden = Privacy(key="k" * 16, phone_numbers="masked")
    made = RawFiles(folder, privacy=hidden, now=NOW - DAY)
    made.build()
    return made


def of_one_call(none: RawFiles, folder: Path) -> RawFiles:
    """Give the warehouse without a call a day later, with one."""
    made = replace(copied(none, folder), now=NOW)
    _, name, at, payload = whippy_call("a", NOW - DAY / 2)
    made.load("whippy", [("main", name, at, {**payload, "from": NUMBER})])
    made.build()
    return made


def copied(made: RawFiles, folder: Path) -> RawFiles:
    shutil.copytree(made.folder, folder, symlinks=True)
    return replace(made, folder=folder)


WAREHOUSES = ("many", "one", "none")


@dataclass(frozen=True)
class Opened:
    """A report in a tab of a browser."""

    page: Page
    file: Path
    said: list[str]
    asked: list[str]

    def show(self, tab: str) -> None:
        self.page.goto(f"{self.file.as_uri()}#{tab}")
        self.page.wait_for_selector(f"section#page-{tab}[data-drawn]")

    def figure(self, title: str) -> list[dict[str, str]]:
        """Return the rows of a table that the page shows."""
        figure = self.page.locator(
            "figure", has=self.page.get_by_text(title, exact=True)
        )
        read = "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
        names, *rows = figure.locator("tr").evaluate_all(read)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def tile(self, name: str) -> str:
        tile = self.page.locator(".tile", has_text=re.compile(f"^{re.escape(name)}"))
        return tile.first.locator("b").inner_text()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, RawFiles]:
    """Give warehouses of several kinds, each with its report."""
    folder = tmp_path_factory.mktemp("reports")
    none = of_no_call(folder / "none")
    one = of_one_call(none, folder / "one")
    found = {"none": none, "one": one, "many": of_many_vendors(folder / "many")}
    for made in found.values():
        write_report(made.config)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give Chromium, if the system has one; `make test-report` insists on it."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None and os.environ.get("CALLHOUSE_BROWSER") != "required":
        pytest.skip("no Chromium here: apt-get install chromium, then make test-report")
    with sync_playwright() as drivers:
        running = drivers.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def opened(browser: Browser, reports: Mapping[str, RawFiles]) -> Iterator[Opened]:
    """Give the report of many vendors."""
    with opening(browser, reports["many"], "wide", "light") as one:
        yield one
        assert one.said == []
        assert {*one.asked} == {one.file.as_uri()}


@contextmanager
def opening(
    browser: Browser, made: RawFiles, size: str, scheme: str
) -> Iterator[Opened]:
    """Open the report of a warehouse, at a size, in light or dark."""
    width, height = SIZES[size]
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": height}
    )
    page = context.new_page()
    file = made.config.warehouse.report
    one = Opened(page, file, [], [])
    page.on("console", lambda message: one.said.append(message.text))
    page.on("pageerror", lambda error: one.said.append(str(error)))
    page.on("request", lambda request: one.asked.append(request.url.split("#")[0]))
    yield one
    context.close()


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [
        ("many", "phone", "dark"),
        ("one", "wide", "light"),
        ("none", "phone", "light"),
    ],
)
def test_every_page_is_drawn_without_an_error_or_a_request(
    browser: Browser,
    reports: Mapping[str, RawFiles],
    name: str,
    size: str,
    scheme: str,
) -> None:
    with opening(browser, reports[name], size, scheme) as opened:
        for tab in TABS:
            opened.show(tab)
            section = opened.page.locator(f"section#page-{tab}")
            drawn = section.locator(".drawing svg")
            assert drawn.count() == section.locator(".drawing[role=img]").count()
            wide = opened.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= SIZES[size][0], tab
        opened.page.evaluate("for (const one of sections()) one.hidden = false")
        found = Axe().run(opened.page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
        assert opened.said == []
        assert {*opened.asked} == {opened.file.as_uri()}
        assert opened.page.title().startswith("Callhouse:")


def test_a_page_of_many_vendors_draws_every_chart(opened: Opened) -> None:
    missing = {"How late calls still change"}
    for page, tab in zip(PAGES, TABS, strict=True):
        opened.show(tab)
        charts = [one for one in CHARTS if one.page == page and one.spec]
        drawn = opened.page.locator(
            f"section#page-{tab} figure:has(svg) h3"
        ).all_inner_texts()
        assert {one.title for one in charts} - {*drawn} <= missing


def test_the_numbers_of_the_page_are_those_of_sql(
    opened: Opened, reports: Mapping[str, RawFiles]
) -> None:
    query = reports["many"].query
    opened.show("spend")
    expected = query(
        "select currency, component, sum(amount) from daily_costs group by all"
    )
    shown = opened.figure("Spend by component")
    assert {
        (one["currency"], one["component"], Decimal(one["amount"].replace(",", "")))
        for one in shown
    } == {*expected}
    ((pending, due),) = query(
        "select sum(cost_pending_calls), sum(cost_due_calls) from daily_calls"
    )
    note = opened.page.locator("figure", has_text="Spend by component").locator(".note")
    assert f"{pending} of {due} calls that cost something" in note.inner_text()
    opened.show("overview")
    ((calls, minutes, cost),) = query(
        "select count(*), round(sum(line_seconds) / 60), sum(cost_reporting)"
        " from fact_calls where not is_deleted"
    )
    assert opened.tile("Calls") == f"{calls:,}"
    assert opened.tile("Minutes") == f"{minutes:,.0f}"
    assert opened.tile("Spend in USD") == f"{round(cost, 2):,.2f} USD"


def test_a_filter_leaves_what_sql_leaves(
    opened: Opened, reports: Mapping[str, RawFiles]
) -> None:
    opened.show("overview")
    for vendor in ("evovoice", "twin", "voximplant", "whippy"):
        opened.page.get_by_label(vendor, exact=True).uncheck()
    opened.page.get_by_label("Direction").select_option("inbound")
    opened.page.get_by_label("From").fill("2026-03-02")
    opened.page.get_by_label("to", exact=True).fill("2026-03-05")
    ((calls,),) = reports["many"].query(
        "select count(*) from fact_calls where vendor = 'zoom' and not is_deleted"
        " and direction = 'inbound'"
        " and call_date between date '2026-03-02' and date '2026-03-05'"
    )
    assert calls > 0
    tile = opened.page.locator(".tile b").first
    opened.page.wait_for_function(
        "([calls]) => document.querySelector('.tile b').textContent === calls",
        arg=[f"{calls:,}"],
    )
    assert tile.inner_text() == f"{calls:,}"
    opened.page.get_by_role("link", name="Service").click()
    agents = opened.page.locator("figure", has_text="Agents, the twenty")
    opened.page.wait_for_selector("section#page-service[data-drawn]")
    assert "Not filtered by direction, dates" in agents.locator(".note").inner_text()
    opened.page.get_by_text("Show all").click()
    expected = f"{reports['many'].query(CALLS)[0][0]:,}"
    opened.show("overview")
    assert opened.tile("Calls") == expected


def test_a_rate_is_that_of_the_metrics(
    opened: Opened, reports: Mapping[str, RawFiles]
) -> None:
    opened.show("service")
    shown = {
        (one["metric"], one["variant"]): one
        for one in opened.figure("Every rate, counted in each way")
    }
    query = reports["many"].query
    metrics = query(
        "select metric, variant, numerator, denominator, factor from dim_metrics"
        " where relation = 'daily_calls'"
    )
    assert {(one[0], one[1]) for one in metrics} == {*shown}
    sums = ", ".join(f"sum({above}), sum({below})" for _, _, above, below, _ in metrics)
    (values,) = query(f"select {sums} from daily_calls")
    quotients = zip(metrics, values[::2], values[1::2], strict=True)
    for (metric, variant, _, _, factor), over, under in quotients:
        said = shown[metric, variant]
        if over is None or not under:
            assert said["value"] == "unknown"
        else:
            places = 6 if said["unit"] == "USD" else 1
            value = Decimal(said["value"].replace(",", ""))
            near = Decimal(factor) * Decimal(over) / Decimal(under)
            assert abs(value - near) <= Decimal(1).scaleb(-places), said


def test_amounts_are_added_exactly_and_null_is_not_0(opened: Opened) -> None:
    opened.show("overview")
    for values, total in {
        ("0.1", "0.2"): "0.3",
        ("9007199254740993", "-0.000001"): "9007199254740992.999999",
        ("0.000001", None): "0.000001",
        ("-0.4", "0.15"): "-0.25",
        (None, None): None,
    }.items():
        assert opened.page.evaluate("v => sum(v, 'decimal')", list(values)) == total
    assert opened.page.evaluate("sum([null, null], 'number')") is None
    assert opened.page.evaluate("said(null)") == "unknown"
    assert opened.page.evaluate("said('1234.565', 2)") == "1,234.57"
    assert opened.page.evaluate("said('-0.5', 0)") == "-1"


def test_the_keyboard_reaches_pages_filters_and_a_call(opened: Opened) -> None:
    opened.show("overview")
    focused = "document.activeElement.textContent"
    opened.page.get_by_role("link", name="Overview").focus()
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate(focused) == "Spend"
    opened.page.keyboard.press("Enter")
    opened.page.wait_for_selector("section#page-spend[data-drawn]")
    link = opened.page.locator("section#page-spend td a").first
    key = link.inner_text()
    link.press("Enter")
    opened.page.wait_for_selector(f"section#page-a-call code:has-text('{key}')")
    assert opened.page.locator("#call").input_value() == key


def test_print_has_every_page(opened: Opened) -> None:
    opened.show("overview")
    opened.page.evaluate("drawForPrint()")
    for tab in TABS:
        opened.page.wait_for_selector(
            f"section#page-{tab}[data-drawn]", state="attached"
        )
    opened.page.emulate_media(media="print")
    assert opened.page.locator("section:visible").count() == len(PAGES)
    assert opened.page.locator("nav, form").locator("visible=true").count() == 0


def test_each_query_runs_as_the_page_shows_it(
    reports: Mapping[str, RawFiles],
) -> None:
    published = reports["many"].config.warehouse.published
    tables = read_tables(published, Report())
    assert {*tables.sql} == {*QUERIES}
    for one in QUERIES:
        assert len(rows_of_sql(published, tables.sql[one])) == len(tables.rows[one])
    empty = {one for one in QUERIES if not tables.rows[one]}
    assert empty <= {"drift", "quarantine", "runs"}


def test_every_column_that_a_chart_names_is_there(
    reports: Mapping[str, RawFiles],
) -> None:
    tables = read_tables(reports["many"].config.warehouse.published, Report())
    for chart in CHARTS:
        if not (rows := tables.rows[chart.query]) or chart.metrics:
            continue
        sums = {
            name for over, under, _ in chart.rates.values() for name in (over, under)
        }
        named = {*chart.by, *chart.sums, *chart.where, *chart.columns}
        assert named <= rows[0].keys(), chart.title
        assert sums <= {*chart.sums}, chart.title
        assert {*(chart.known or ())[:2]} <= {*chart.sums}, chart.title


@pytest.mark.parametrize("name", WAREHOUSES)
def test_no_phone_number_is_in_the_page_unless_a_setting_says_so(
    reports: Mapping[str, RawFiles], name: str
) -> None:
    published = reports[name].config.warehouse.published
    ways = [re.sub(r"\D", "", NUMBER), NUMBER, NUMBER.replace(" ", "")]
    data = re.compile("<script type=.application/json.*?</script>", re.DOTALL)
    shown = {
        setting: data.findall(page_of(published, Report(phone_numbers=setting)).html)[0]
        for setting in (False, True)
    }
    assert not any(way in shown[False] for way in ways)
    assert '"customer_number"' not in shown[False]
    assert any(way in shown[True] for way in ways) == (name == "many")
    assert ("+44********23" in shown[True]) == (name == "one")


def test_a_page_of_many_rows_has_fewer_days(
    reports: Mapping[str, RawFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    published = reports["many"].config.warehouse.published
    monkeypatch.setattr("pipelines.report.tables.MOST_WEIGHT", 50)
    context = read_tables(published, Report()).context
    days = (context["last_date"] - context["first_date"]).days + 1
    assert days in {1, 2, 5, 11, 22, 45}
    assert len(read_tables(published, Report()).rows["service"]) * 4 <= 50


def test_values_come_as_json_has_them() -> None:
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    rows = [
        {"a": Decimal("1.500"), "b": at, "c": True, "d": None, "e": 2, "f": "x"},
        {"a": None, "b": at, "c": None, "d": None, "e": None, "f": None},
    ]
    same = {"kind": "text", "words": ["2026-03-02 10:00:00 UTC"], "places": [0, 0]}
    assert as_columns(rows) == {
        "a": {"kind": "decimal", "values": ["1.5", None]},
        "b": same,
        "c": {"kind": "flag", "values": [True, None]},
        "d": {"kind": "null", "words": [None], "places": [0, 0]},
        "e": {"kind": "number", "values": [2, None]},
        "f": {"kind": "text", "words": ["x", None], "places": [0, 1]},
    }
    assert as_columns([]) == {}


def test_pages_of_earlier_days_stay_as_many_as_a_setting_says(
    reports: Mapping[str, RawFiles], tmp_path: Path
) -> None:
    config = copied(reports["one"], tmp_path / "copy").config
    warehouse = config.warehouse
    for days in range(1, 5):
        (warehouse.reports / f"{NOW - days * DAY:%Y-%m-%d}.html").touch()
    stale = warehouse.root / "report.html.0123abcd.incoming"
    stale.touch()
    config = replace(config, report=Report(keep=3), published_mode=0o600)
    done = write_report(config)
    newest = [f"{NOW - days * DAY:%Y-%m-%d}.html" for days in range(3)]
    assert (
        sorted((one.name for one in warehouse.reports.iterdir()), reverse=True)
        == newest
    )
    assert done.kept_as == warehouse.reports / newest[0]
    assert done.kept_as.read_bytes() == warehouse.report.read_bytes()
    assert warehouse.report.stat().st_mode & 0o777 == 0o600
    assert warehouse.reports.stat().st_mode & 0o777 == 0o700
    assert not stale.exists()
    shows = replace(config, report=Report(phone_numbers=True))
    before = warehouse.reports / newest[0]
    before.write_text("the page before")
    assert write_report(shows).kept_as is None
    assert before.read_text() == "the page before"
    none = replace(config, report=Report(keep=0))
    assert write_report(none).kept_as is None
    assert [*warehouse.reports.iterdir()] == []


@pytest.mark.soak
def test_a_report_that_cannot_be_written_takes_no_run_down(
    reports: Mapping[str, RawFiles],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = copied(reports["one"], tmp_path / "copy")
    warehouse = made.config.warehouse
    warehouse.report.unlink()
    (warehouse.report / "in the way").mkdir(parents=True)
    result, published = build_and_finish(made.config, NOW)
    assert (result.kept, published.exists()) == ({}, True)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("callhouse: the report was not written: ")
    assert [*warehouse.root.glob("*.incoming")] == []
    shutil.rmtree(warehouse.report)

    def of_a_fault(name: str) -> str:
        raise ZeroDivisionError(name)

    monkeypatch.setattr("pipelines.report.page._text", of_a_fault)
    report_after_publish(made.config)
    (line,) = capsys.readouterr().err.splitlines()
    assert "the report was not written" in line
    assert "ZeroDivisionError" in line
    report_after_publish(replace(made.config, report=Report(enabled=False)))
    assert capsys.readouterr().err == ""
    assert not warehouse.report.exists()


def test_a_rollback_writes_the_report_of_what_it_publishes(
    reports: Mapping[str, RawFiles], tmp_path: Path
) -> None:
    made = copied(reports["one"], tmp_path / "copy")
    report = made.config.warehouse.report
    assert "2026-04-20 00:00" in report.read_text("utf-8")
    roll_back(made.config, NOW, None)
    assert "2026-04-19 00:00" in report.read_text("utf-8")


def test_the_command_writes_the_page_and_says_where(
    reports: Mapping[str, RawFiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = copied(reports["one"], tmp_path / "copy")
    made.config.warehouse.report.unlink()
    given = {"HOME": str(tmp_path), "CALLHOUSE__WAREHOUSE": str(made.folder)}
    done = callhouse(tmp_path, given, "report")
    assert done.returncode == 0, done.stderr
    assert f"wrote {made.config.warehouse.report}, " in done.stdout
    assert "stays as" in done.stdout
    missing = tmp_path / "package"
    missing.mkdir()
    monkeypatch.setattr("pipelines.report.page.FOLDER", missing)
    done = callhouse(tmp_path, given, "report")
    assert done.returncode == 2
    assert "vega.js is missing in the package; install Callhouse again" in done.stderr

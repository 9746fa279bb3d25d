"""The models as a dbt project: dbt itself builds what Callhouse built, row for row."""

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pyarrow as pa
import pytest
import yaml
from conftest import House, open_house
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import PATIENCE
from sandbox_control import stamp

from pipelines.commands.build import MODELS
from pipelines.planning.windows import DAY, read_time
from transforms.export.dbt import ProjectInputs, project
from transforms.export.dbt_yaml import never_null_alone, relationships
from transforms.runner.checks import declared
from transforms.runner.graph import Graph, read_graph

NOW = read_time("2026-11-17T03:00:00Z")
LATER = NOW + DAY / 24
ROOT = Path(__file__).parents[2]
DBT = ROOT / ".venv-dbt/bin/dbt"
OURS = "'build_state', 'built_loads', 'data_dictionary', 'kept_vendors'"
"""Tables of ops that no model makes; dbt has docs of its own for a dictionary."""
READ_AGAIN = """
insert into raw.calls by name
select * exclude (number) replace (
    case
        when number > 3
            then json_merge_patch(payload, '{"language": "eo", "new": 1}')::varchar
    end as payload,
    fetched_at + interval 1 hour as fetched_at
)
from (select *, row_number() over (order by record_id) as number from raw.calls)
where number <= 6
"""
"""An hour later three calls are gone, and three in another language, a field more."""
CONTEXT = ("accounts", "cost_centers", "fx_rates", "rate_cards", "run", "runs")
CONTEXT += ("invoices", "streams", "vendor_fields")
RATES = """date,from_currency,to_currency,rate,source
2026-11-16,EUR,RUB,81,invented
2026-11-16,EUR,USD,1.25,invented
"""


TEXTS = {".sql", ".yml"}
THEIRS = """name: theirs
config-version: 2
profile: theirs
flags: {require_generic_test_arguments_property: true}
"""
BUILDABLE = ("--indirect-selection", "buildable")
FRESH = ("freshness",)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a night with a record kept aside, calls gone or changed, and prices."""
    with open_house(tmp_path_factory.mktemp("dbt"), NOW, days=2, volume=20) as house:
        (house.folder / "config").mkdir()
        for stream in ("TRANSACTIONS", "TRANSACTION_HOLDS"):
            house.environment[f"CALLHOUSE__SOURCES__VOXIMPLANT__{stream}"] = "true"
        example = (ROOT / "config/rate_cards.example.toml").read_text()
        card = re.sub(r"^# (?=\[\[|\w+ = )", "", example, flags=re.MULTILINE)
        (house.folder / "config/rate_cards.toml").write_text(card)
        (house.folder / "config/fx_rates.csv").write_text(RATES)
        house.post("faults", {"vendor": "zoom", "kind": "malformed_record", "times": 1})
        loaded = house.run("load", "--now", stamp(NOW))
        assert loaded.returncode == 1, "the record kept aside is new"
        raw = house.folder / "warehouse/raw"
        with duckdb.connect(str(raw / "twin.duckdb"), read_only=True) as twin:
            ((missed,),) = twin.execute(
                "select min(record_id) from raw.calls"
            ).fetchall()
        house.post("removed", {"vendor": "twin", "ids": [missed]})
        house.post("clock", {"now": stamp(LATER)})
        loaded = house.run("load", "--vendor", "twin", "--now", stamp(LATER))
        assert loaded.returncode == 0, loaded.stderr
        with duckdb.connect(str(raw / "whippy.duckdb")) as whippy:
            whippy.execute(READ_AGAIN)
        built = house.run("transform", "--full", "--now", stamp(LATER))
        assert built.returncode == 0, built.stderr
        exported = house.run("export", "dbt", "exported", "--now", stamp(LATER))
        assert exported.returncode == 0, exported.stderr
        yield house


@pytest.fixture(scope="module")
def graph() -> Graph:
    return read_graph(MODELS, CONTEXT)


@dataclass(frozen=True)
class Built:
    """What dbt made of an export."""

    file: Path
    results: tuple[Mapping[str, Any], ...]
    has_called_out: bool


@pytest.fixture(scope="module")
def built(house: House) -> Built:
    assert DBT.exists(), "dbt has an environment of its own; run: make dbt"
    folder = house.folder / "exported"
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY"), url)
        done = subprocess.run(
            [DBT, "--log-level", "error", "--log-level-file", "none", "build"],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(house.folder), **proxies},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        proxy.setblocking(False)  # noqa: FBT003 - its only parameter
        try:
            proxy.accept()[0].close()
            has_called_out = True
        except BlockingIOError:
            has_called_out = False
    assert done.returncode == 0, done.stdout
    results = json.loads((folder / "target/run_results.json").read_text())["results"]
    return Built(folder / "callhouse.duckdb", tuple(results), has_called_out)


def both(house: House, built: Built) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    for name, file in (
        ("ours", house.folder / "warehouse/build.duckdb"),
        ("theirs", built.file),
    ):
        connection.execute(f"attach '{file}' as {name} (read_only)")
    return connection


@pytest.mark.soak
def test_dbt_builds_the_export_and_calls_nobody(built: Built) -> None:
    assert {one["status"] for one in built.results} == {"success", "pass", "no-op"}
    assert not built.has_called_out


@pytest.mark.soak
def test_every_check_of_a_model_is_a_test_in_dbt(built: Built, graph: Graph) -> None:
    checks = 0
    for one in graph.models:
        _, others = never_null_alone(one)
        checks += len([*declared(one)]) - max(len(others) - 1, 0)  # one of all others
        checks += bool(one.key) + len([*relationships(graph, one)])
    tests = [one for one in built.results if one["unique_id"].startswith("test.")]
    assert len(tests) == checks + len(graph.checks)


@pytest.mark.soak
def test_dbt_makes_the_same_rows_of_every_table(house: House, built: Built) -> None:
    with both(house, built) as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            f" where database_name = 'ours' and table_name not in ({OURS})"
        ).fetchall()
        differing, empty = {}, set()
        for (table,) in tables:
            ours, theirs = f"ours.{table}", f"theirs.{table}"
            (counted,) = connection.execute(
                f"select (select count(*) from {ours}),"
                f" (select count(*) from (from {ours} except all from {theirs})),"
                f" (select count(*) from (from {theirs} except all from {ours}))"
            ).fetchall()
            if counted[1:] != (0, 0):
                differing[table] = counted
            if counted[0] == 0:
                empty.add(table)
        (gone,) = connection.execute(
            "select count(*) from theirs.main.fact_calls where is_deleted"
        ).fetchall()
    assert differing == {}
    assert empty == set()
    assert gone == (3,)


@pytest.mark.soak
def test_columns_have_the_same_types_and_meanings_in_dbt(
    house: House, built: Built
) -> None:
    columns = (
        "select c.schema_name, c.table_name, t.comment, column_name, data_type,"
        " nullif(c.comment, '') as meaning from duckdb_columns() as c"
        " join duckdb_tables() as t using (table_oid, database_oid)"
        " where c.database_name = '{}' and c.schema_name in ('main', 'ops')"
        f" and c.table_name not in ({OURS})"
    )
    with both(house, built) as connection:
        ours = set(connection.execute(columns.format("ours")).fetchall())
        theirs = set(connection.execute(columns.format("theirs")).fetchall())
    assert ours <= theirs
    assert theirs - ours == set()


@pytest.mark.soak
def test_dbt_accepts_the_metrics_and_their_numbers_are_those_of_the_mart(
    built: Built,
) -> None:
    """MetricFlow's own rules are checked as dbt reads the project."""
    manifest = json.loads(
        (built.file.parent / "target/semantic_manifest.json").read_text()
    )
    sums = {
        measure["name"]: f"(select sum({measure['expr']}) from {model['name']})"
        for model in manifest["semantic_models"]
        for measure in model["measures"]
    }
    found = {}
    with duckdb.connect(str(built.file), read_only=True) as connection:
        for metric in manifest["metrics"]:
            if metric["type"] == "derived":
                parts = metric["type_params"]["metrics"]
                both = ", ".join(
                    f"{sums[one['name']]} as {one['alias']}" for one in parts
                )
                expression = metric["type_params"]["expr"]
                (value,) = connection.execute(
                    f"select round({expression}, 6) from (select {both})"
                ).fetchall()[0]
                found[metric["name"]] = value
        expected = connection.execute(
            "select metric || '_' || variant, round(any_value(metrics.factor)"
            " * sum(dates.numerator) / sum(dates.denominator), 6)"
            " from dim_metrics as metrics left join daily_metrics as dates"
            " using (metric, variant) group by all"
        ).fetchall()
    assert found == dict(expected)
    assert sum(value is not None for value in found.values()) > len(found) / 2


@pytest.mark.soak
def test_a_broken_row_fails_the_tests_of_its_table(
    built: Built, tmp_path: Path
) -> None:
    file = tmp_path / "callhouse.duckdb"
    shutil.copy(built.file, file)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "insert into main.fact_call_legs from main.fact_call_legs limit 1;"
            "insert into main.fact_call_legs by name select 'nobody' as call_key,"
            " null as leg_no, 'ghost' as role;"
            "update main.fact_calls set total_seconds = -1"
        )
        failing = {
            one["unique_id"].split(".")[2].partition("_fact")[0]
            for one in built.results
            if one["unique_id"].startswith("test.")
            and connection.execute(one["compiled_code"]).fetchall()
        }
    assert failing == {
        "accepted_values",
        "holds",
        "lines_have_a_call",
        "not_null",
        "relationships",
        "unique_together",
    }


@pytest.mark.soak
def test_an_export_has_every_model_and_no_place_of_this_machine(
    house: House, graph: Graph
) -> None:
    folder = house.folder / "exported"
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.stem for path in files if path.is_relative_to(folder / "models")}
    assert {one.name for one in graph.models} - names == set()
    assert {one.name for one in graph.checks} == {
        path.stem for path in (folder / "tests").iterdir()
    }
    written = (folder / ".callhouse-export").read_text().split()
    for name in written:
        assert str(house.folder).encode() not in (folder / name).read_bytes(), name


@pytest.mark.soak
def test_names_as_dbt_recommends_begin_with_the_layer_and_are_all_there(
    house: House,
) -> None:
    assert house.run("export", "dbt", "layered", "--names", "dbt").returncode == 0
    folder = house.folder / "layered"
    layers: dict[str, set[str]] = {}
    for path in (folder / "models").rglob("*.sql"):
        place = path.relative_to(folder / "models").parts[0]
        layers.setdefault(place, set()).add(path.stem.partition("_")[0])
    assert layers == {
        "staging": {"stg"},
        "intermediate": {"int"},
        "marts": {"fct", "dim"},
        "ops": {"rpt"},
        **{inputs: {"base"} for inputs in ("raw", "inputs", "config")},
    }
    texts = [path.read_text() for path in folder.rglob("*.*") if path.suffix in TEXTS]
    named = {name for text in texts for name in re.findall(r"ref\('+(\w+)'+\)", text)}
    names = [path.stem for path in (folder / "models").rglob("*.sql")]
    names += [path.stem for path in (folder / "seeds").glob("*.csv")]
    assert named <= {*names}
    assert len({*names}) == len(names)
    assert {"fct_calls", "fct_call_agents", "dim_agents", "stg_zoom__calls"} <= named


@pytest.mark.soak
def test_every_model_and_source_of_an_export_says_what_it_is(house: House) -> None:
    listed: dict[str, list[Mapping[str, Any]]] = {}
    for folder in ("models", "seeds"):
        for path in (house.folder / "exported" / folder).rglob("*.yml"):
            for kind, found in yaml.safe_load(path.read_text()).items():
                listed.setdefault(kind, []).extend(found)
    models = {path.stem for path in (house.folder / "exported/models").rglob("*.sql")}
    assert {one["name"] for one in listed["models"]} == models
    listed["tables"] = [one for of in listed["sources"] for one in of["tables"]]
    for kind in ("models", "seeds", "sources", "tables", "exposures"):
        assert [one["name"] for one in listed[kind] if not one.get("description")] == []
    fresh = [one["name"] for one in listed["tables"] if "freshness" in one["config"]]
    assert fresh == ["load_windows"] * len(listed["sources"])


@pytest.mark.soak
def test_a_project_of_somebody_else_builds_what_it_selects_of_an_export(
    house: House,
) -> None:
    assert house.run("export", "dbt", "package", "--names", "dbt").returncode == 0
    theirs = house.folder / "theirs"
    (theirs / "models").mkdir(parents=True)
    (theirs / "models/m.sql").write_text("from {{ ref('fct_calls') }} select vendor")
    (theirs / "packages.yml").write_text("packages: [{local: ../package}]")
    (theirs / "dbt_project.yml").write_text(THEIRS)
    connection = (house.folder / "package/profiles.yml").read_text()
    connection = connection.replace("callhouse:\n", "theirs:\n", 1)
    connection = connection.replace("- .\n", "- dbt_packages/callhouse\n")
    (theirs / "profiles.yml").write_text(connection)
    for command in (["deps"], ["build", "-s", "+m", *BUILDABLE], ["source", *FRESH]):
        done = subprocess.run(
            [DBT, "--log-level", "error", "--log-level-file", "none", *command],
            cwd=theirs,
            env={"PATH": "/usr/bin:/bin", "HOME": str(house.folder)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout
    with duckdb.connect(str(theirs / "callhouse.duckdb"), read_only=True) as found:
        assert found.execute("select count(*) from main.m").fetchone() != (0,)


@pytest.mark.soak
def test_an_export_replaces_the_one_before_and_leaves_other_files(
    house: House,
) -> None:
    folder = house.folder / "again"
    shutil.copytree(house.folder / "exported", folder)
    (folder / "models/ops/mine.sql").write_text("select 1 as one")
    (folder / "models/ops/last_years.sql").write_text("select 2 as two")
    with (folder / ".callhouse-export").open("a") as mark:
        mark.write("models/ops/last_years.sql\n")
    (folder / "dbt_project.yml").unlink()
    assert house.run("export", "dbt", "again").returncode == 0
    assert (folder / "models/ops/mine.sql").exists()
    assert not (folder / "models/ops/last_years.sql").exists()
    assert (folder / "dbt_project.yml").exists()


@pytest.mark.soak
def test_a_folder_of_something_else_is_left_alone(house: House) -> None:
    occupied = house.folder / "occupied"
    occupied.mkdir()
    (occupied / "letter.txt").write_text("Dear")
    for place, sentence in (
        ("occupied", "occupied holds other files than an export's; name a new"),
        ("occupied/letter.txt", "letter.txt is a file; name a folder"),
    ):
        refused = house.run("export", "dbt", place)
        assert refused.returncode == 2
        assert sentence in refused.stderr
    assert [path.name for path in occupied.iterdir()] == ["letter.txt"]


@pytest.mark.soak
def test_an_export_of_nothing_says_what_to_run_first(house: House) -> None:
    refused = house.run("export", "dbt", "none", CALLHOUSE__WAREHOUSE="elsewhere")
    assert refused.returncode == 2
    assert "nothing is loaded in elsewhere yet; run: callhouse run" in refused.stderr
    assert not (house.folder / "none").exists()


@pytest.mark.soak
def test_an_export_to_an_unknown_tool_names_it(house: House) -> None:
    refused = house.run("export", "abc", "somewhere")
    assert refused.returncode == 2
    assert "No such command 'abc'" in refused.stderr


@given(st.text("{}%#-+ '\nraw", max_size=30))
@settings(max_examples=30)
def test_braces_in_a_model_are_text_to_dbt_too(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    root = tmp_path_factory.mktemp("models") / "models"
    (root / "ops").mkdir(parents=True)
    literal = "'" + text.replace("'", "''") + "'"
    (root / "ops/notes.sql").write_text(
        "-- One row per note.\n-- @key note\n"
        f"select {literal} || notes.said as note from config.notes"
    )
    notes = {"notes": pa.table({"said": ["!"]})}
    files = project(read_graph(root, notes), ProjectInputs(notes, "raw", (), ()))
    rendered = jinja2.Template(files["models/ops/notes.sql"].decode()).render(
        ref={"config__notes": "said"}.__getitem__
    )
    with duckdb.connect() as connection:
        connection.execute("create table said as select '!' as said")
        assert connection.execute(rendered).fetchall() == [(text + "!",)]

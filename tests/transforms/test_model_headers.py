"""What a header says and a SELECT reads: files of a few lines, no database."""

from pathlib import Path

import pytest

from transforms.runner.model import Column, Model, ModelError, read_model
from transforms.runner.parsing import columns_of, nearest, rewritten, selected

SENTENCE = "-- One row per call.\n"
SELECT = "select 1 as call_key, 2 as call_date\n"


def model(folder: Path, file: str, text: str) -> Model:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return read_model(path, folder)


def refusal(folder: Path, file: str, header: str, sql: str = SELECT) -> str:
    with pytest.raises(ModelError) as error:
        model(folder, file, SENTENCE + header + sql)
    return str(error.value)


HEADER = """\
--
-- One row per call,
--whatever it was,
--   and whoever.
-- @kind incremental call_key
-- @key call_key, part
-- @not_null a
-- @not_null b, c
-- @nullable part
-- @accepted a: x, y,
--z
-- @accepted b: 1
-- @check a < b
--   and c > 0
-- @check a <> ''
-- @column call_key: its key
-- @column a [seconds]: a length; NULL = not known; NULL = of no call
-- @column b [USD]: a price
-- @column part: one; or two;  NULL = none
-- @personal customer: a,
--     part
-- @personal staff: b
-- @reference
-- @rebuild_group account, month
-- @former_name main.fact_calls
-- @former_name ops.calls_2
select 1 as call_key
"""


def test_a_header_says_it_all_in_lines_that_go_on(tmp_path: Path) -> None:
    found = model(tmp_path, "facts/deep/a.sql", HEADER.rstrip() + ";\n\n")
    assert (found.file, found.table, found.kind) == (
        *("facts/deep/a.sql", "main.a", "call_key"),
    )
    assert found.sentence == "One row per call, whatever it was, and whoever."
    assert (found.key, found.nullable) == (("call_key", "part"), ("part",))
    assert found.not_null == ("a", "b", "c")
    assert found.accepted == (("a", ("x", "y", "z")), ("b", ("1",)))
    assert found.checks == ("a < b and c > 0", "a <> ''")
    assert found.is_reference
    assert found.rebuild_groups == ("account, month",)
    assert found.former_names == ("main.fact_calls", "ops.calls_2")
    assert found.columns == (
        Column("call_key", None, "its key", None, None),
        Column("a", "seconds", "a length", "not known; NULL = of no call", "customer"),
        Column("b", "USD", "a price", None, "staff"),
        Column("part", None, "one; or two", "none", "customer"),
    )
    assert [one.comment for one in found.columns] == [
        "its key",
        "a length [seconds]; NULL = not known; NULL = of no call",
        "a price [USD]",
        "one; or two; NULL = none",
    ]
    assert found.sql == HEADER.rstrip()


def test_a_file_without_tags_is_what_its_folder_says(tmp_path: Path) -> None:
    keyed = SENTENCE + "-- @key call_key, call_date\n" + SELECT
    for file, table, kind, is_stored in (
        ("staging/zoom/zoom__calls.sql", "staging.zoom__calls", "transient", False),
        ("intermediate/a.sql", "intermediate.a", "transient", False),
        ("facts/a.sql", "main.a", "call_key", True),
        ("dims/a.sql", "main.a", "table", True),
        ("marts/a.sql", "main.a", "call_date", True),
        ("ops/a.sql", "ops.a", "table", True),
    ):
        found = model(tmp_path, file, keyed)
        assert (found.table, found.kind, found.is_stored) == (table, kind, is_stored)
        assert (found.is_reference, found.columns, found.checks) == (False, (), ())
        assert found.selected == ("call_key", "call_date")
        assert found.vendor == found.name.partition("__")[0]
    for file, schema in (("facts/a.rebuild.sql", "rebuild"), ("b.check.sql", "check")):
        found = model(tmp_path, file, SENTENCE + SELECT)
        assert (found.schema, found.kind, found.is_stored) == (schema, schema, False)


@pytest.mark.parametrize(
    "file",
    [
        *("a.sql", "dims/a.chek.sql", "dims/A.check.sql", "dims/2a.sql"),
        *("dims/Deep/a.sql", "dims/a-b.sql", "raw/a.sql", "DIMS/a.sql"),
    ],
)
def test_a_file_that_stands_elsewhere_is_no_model(tmp_path: Path, file: str) -> None:
    told = refusal(tmp_path, file, "-- @key call_key\n")
    assert told.startswith(f"{file}: a model is staging|intermediate|facts|dims|marts|")


def test_a_folder_is_told_that_was_probably_meant(tmp_path: Path) -> None:
    told = refusal(tmp_path, "dim/a.sql", "-- @key call_key\n")
    assert told.endswith("a check <name>.check.sql; the nearest is dims")


@pytest.mark.parametrize("text", ["", "--\n", "-- @key a\n", "select 1\n-- late\n"])
def test_a_model_begins_with_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelError, match=r"dims/a.sql:1: begin with a sentence"):
        model(tmp_path, "dims/a.sql", text + SELECT)


@pytest.mark.parametrize(
    ("file", "header", "sentence"),
    [
        ("dims/a.sql", "-- @key\n", "dims/a.sql:2: write @key as 'column, column'"),
        ("dims/a.sql", "-- @key a, B\n", "dims/a.sql:2: write @key as"),
        ("dims/a.sql", "-- @key a\n-- @not_null 1\n", "a.sql:3: write @not_null as"),
        ("dims/a.sql", "-- @accepted A: x\n", "write @accepted as 'column: ...', once"),
        ("dims/a.sql", "-- @accepted a:\n", "write @accepted as"),
        ("dims/a.sql", "-- @accepted a: x\n-- @accepted a: y\n", "a.sql:3: write @acc"),
        ("dims/a.sql", "-- @column a\n", "a.sql:2: write @column as 'column [unit]: m"),
        ("dims/a.sql", "-- @column a: x\n-- @column a: y\n", "a.sql:3: write @column"),
        ("dims/a.sql", "-- @check a >\n", "@check needs one SQL expression, not 'a >'"),
        ("dims/a.sql", "-- @check\n", "a.sql:2: @check needs one SQL expression"),
        ("dims/a.sql", "-- @rebuild_group\n", "2: @rebuild_group needs one SQL exp"),
        ("dims/a.sql", "-- @rebuild_group a >\n", "@rebuild_group needs one SQL expr"),
        ("dims/a.sql", "-- @former_name staging.b\n", "write @former_name as 'schema."),
        ("dims/a.sql", "-- @personal me: a\n", "2: write @personal as 'whose: column"),
        ("dims/a.sql", "-- @personal staff:\n", "a.sql:2: write @personal as 'whose"),
        (
            "dims/a.sql",
            "-- @personal staff: a\n-- @personal customer: a\n",
            "a.sql:3: write @personal as 'whose: column, column', once a column; whose",
        ),
        (
            "dims/a.sql",
            "-- @personal staff: a\n",
            "a.sql: @personal names a, which has",
        ),
        ("dims/a.sql", "-- @kind tabel\n", "unknown kind 'tabel'; the nearest is tab"),
        ("dims/a.sql", "-- @colum a: x\n", "unknown tag @colum; the nearest is column"),
        ("dims/a.sql", "", "dims/a.sql: a stored table needs '-- @key column'"),
        ("facts/a.sql", "-- @key a, call_key\n", "needs call_key first in its @key"),
        ("marts/a.sql", "-- @key account\n", "incremental call_date needs it in its"),
        (
            "ops/a.sql",
            "-- @kind incremental load_id\n-- @key load_id\n",
            "ops/a.sql: incremental load_id needs vendor and load_id in its @key",
        ),
        ("staging/a.sql", "-- @kind table\n-- @key a\n", "staging is transient; move"),
        ("ops/a.sql", "-- @kind union\n", "ops/a.sql: a union is of staging models"),
        ("staging/a.sql", "-- @former_name ops.b\n", "only a stored table has a @form"),
        ("a.rebuild.sql", "-- @key a\n", "a.rebuild.sql:2: a rebuild has a sentence"),
        ("a.check.sql", "-- @key a\n", "a.check.sql:2: a check has a sentence and no "),
    ],
)
def test_a_wrong_tag_is_one_sentence_with_its_place(
    tmp_path: Path, file: str, header: str, sentence: str
) -> None:
    assert sentence in refusal(tmp_path, file, header)


def test_a_tag_may_overrule_the_folder_where_the_table_stays(tmp_path: Path) -> None:
    for file, header, kind in (
        ("staging/unions/a.sql", "-- @kind union\n", "union"),
        ("ops/a.sql", "-- @kind transient\n", "transient"),
        ("marts/a.sql", "-- @kind incremental call_key\n-- @key call_key\n", "call_ke"),
        ("ops/a.sql", "-- @kind incremental call_date\n-- @key b, call_date\n", "call"),
    ):
        assert model(tmp_path, file, SENTENCE + header + SELECT).kind.startswith(kind)


READS = """\
with Found as (select * from staging.Calls),

others as (
    select * from main.fact_calls as main_calls
    union all select * from found
)

select a, b as c, others.*
from others, MAIN.dim_days d, read_csv('x.csv'), ops.runs
where exists (select 1 from Ops.Runs) or exists (from main.found)
"""


def test_a_select_reads_tables_and_no_ctes_of_its_own(tmp_path: Path) -> None:
    found = model(tmp_path, "staging/a.sql", SENTENCE + READS)
    told = [(one.name, one.line, one.is_aliased) for one in found.references]
    assert sorted(told) == [
        ("main.dim_days", 10, True),
        ("main.fact_calls", 5, True),
        ("main.found", 11, False),
        ("ops.runs", 10, False),
        ("ops.runs", 11, False),
        ("staging.calls", 2, False),
    ]
    assert found.selected == ("a", "c")


def test_a_table_is_read_from_another_place_and_keeps_its_name(tmp_path: Path) -> None:
    found = model(tmp_path, "staging/a.sql", SENTENCE + READS)
    places = {"staging.calls": "new.c", "main.dim_days": "d2", "ops.runs": "r.s"}
    expected = (
        (SENTENCE + READS)
        .rstrip()
        .replace("staging.Calls", 'new.c as "calls"')
        .replace("MAIN.dim_days", "d2")
        .replace("ops.runs", 'r.s as "runs"')
        .replace("Ops.Runs", 'r.s as "runs"')
    )
    assert found.bound(places) == expected
    assert found.bound({}) == found.sql
    assert rewritten(found.sql, found.references[::-1], places) == expected


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("select 1\nfrom calls", r"a.sql:3: write calls as schema.table"),
        ("select 1 from a.main.b", r"a.sql:2: write a.main.b as schema.table"),
        ("select 1; select 2", r"a.sql: after its header a file holds one SELECT"),
        ("drop table main.a", r"a.sql: after its header a file holds one SELECT"),
        ("select (b", r"a.sql:2: the SQL cannot be read: Expecting \) at 'b'"),
        ("select 'b", r"a.sql: the SQL cannot be read: "),
    ],
)
def test_a_select_that_cannot_be_read_is_one_sentence_with_its_place(
    tmp_path: Path, sql: str, sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence):
        model(tmp_path, "staging/a.sql", SENTENCE + sql)


def test_columns_of_an_expression_are_named_once_in_lowercase() -> None:
    assert columns_of("B > a and b < c.A + 1", "x") == ("b", "a")
    assert selected("select a, b + 1, c.* from main.x") == ("a",)
    with pytest.raises(ModelError, match="x: @check needs one SQL exp"):
        columns_of("b >", "x: @check")
    with pytest.raises(ModelError, match="a file holds one SELECT, no more"):
        selected("drop table main.x")


def test_the_nearest_name_is_suggested_if_one_is_near() -> None:
    assert nearest("colum", ["key", "column", "colour"]) == "; the nearest is column"
    assert nearest("zebra", ["key", "column"]) == ""

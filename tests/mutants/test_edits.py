"""The wrong edits that are made of a few lines, each of them named."""

from edits import Mutant
from python_edits import python_edits
from sql_edits import sql_edits

SELECT = """\
with calls as (
    select a.x as first, a.y as second, coalesce(a.z, 60) as z
    from main.a
    left join main.b on a.k = b.k and a.t between b.s and b.e
    where not a.gone
)

select distinct min(z) from calls qualify row_number() over (order by x, y desc) = 1
"""
FUNCTION = """\
def within(items: dict[str, int], limit: int = 3) -> list[int]:
    found = (min(one, limit) for one in items if one > 0 and not one == limit)
    return list(map(pow, found, limit))
"""


def edited(kind: str, text: str) -> set[str]:
    """Return the edits of a kind: what is taken away, and what is put there."""
    edits = sql_edits if "select" in text else python_edits
    return {
        f"{text[one.start : one.end]} -> {one.new}".strip()
        for one in edits(text)
        if one.kind == kind
    }


def test_a_select_has_these_wrong_edits() -> None:
    assert edited("join", SELECT) == {"left -> inner"}
    assert edited("coalesce", SELECT) == {"a.z, 60 -> 60", "a.z, 60 -> a.z"}
    assert edited("unit", SELECT) == {"60 -> 1000"}
    assert edited("distinct", SELECT) == {"distinct  ->"}
    assert edited("function", SELECT) == {"min -> max"}
    assert edited("order", SELECT) == {"->  desc", "desc -> asc"}
    assert edited("ties", SELECT) == {
        "row_number -> rank",
        "x, y desc -> x",
        "x, y desc -> y desc",
    }
    assert edited("swap", SELECT) == {
        "a.x as first, a.y -> a.y as first, a.x",
    }
    assert edited("filter", SELECT) == {
        "a.k = b.k and a.t between b.s and b.e -> a.k = b.k",
        "a.k = b.k and a.t between b.s and b.e -> a.t between b.s and b.e",
        "not a.gone -> true",
        "row_number() over (order by x, y desc) = 1 -> true",
    }
    assert edited("condition", SELECT) == {"and -> or", "not  ->"}


def test_a_function_has_these_wrong_edits() -> None:
    assert edited("bound", FUNCTION) == {"> -> >="}
    assert edited("constant", FUNCTION) == {"3 -> 4", "0 -> 1"}
    assert edited("function", FUNCTION) == {"min -> max"}
    assert edited("swap", FUNCTION) == {
        "pow, found -> found, pow",
        "found, limit -> limit, found",
    }
    assert edited("condition", FUNCTION) == {
        "and -> or",
        "not one == limit -> one == limit",
    }
    assert edited("filter", FUNCTION) == {
        "one > 0 and not one == limit -> (one > 0)",
        "one > 0 and not one == limit -> (not one == limit)",
        "one > 0 and not one == limit -> True",
    }


def test_a_mutant_says_where_it_is_and_what_it_changes() -> None:
    (bound,) = [one for one in python_edits(FUNCTION) if one.kind == "bound"]
    mutant = Mutant("python", "a.py", FUNCTION, bound)
    assert mutant.place == "a.py:2"
    assert mutant.diff.count("one > 0") == mutant.diff.count("one >= 0") == 1

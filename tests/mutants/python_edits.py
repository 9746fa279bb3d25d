"""The wrong edits of a Python module, from its syntax tree."""

import ast
from collections.abc import Iterator
from itertools import pairwise

from edits import Edit, in_order

COMPARED: dict[type[ast.cmpop], tuple[str, str, str]] = {
    ast.Lt: ("bound", "<", "<="),
    ast.LtE: ("bound", "<=", "<"),
    ast.Gt: ("bound", ">", ">="),
    ast.GtE: ("bound", ">=", ">"),
    ast.Eq: ("comparison", "==", "!="),
    ast.NotEq: ("comparison", "!=", "=="),
    ast.Is: ("comparison", "is", "is not"),
    ast.IsNot: ("comparison", "is not", "is"),
    ast.In: ("comparison", "in", "not in"),
    ast.NotIn: ("comparison", "not in", "in"),
}
COMPUTED: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
}
OTHER_WAY = {"min": "max", "max": "min", "any": "all", "all": "any"}
UNITS = {60: "1000", 1000: "60", 3600: "60"}


def python_edits(text: str) -> list[Edit]:
    """Return every edit of a module, each result once, in the order of the text."""
    return in_order(Module(text).edits(), text)


def declared(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what mypy checks and no test can: annotations, and decorators."""
    for name in ("annotation", "returns"):
        if isinstance(whole := getattr(node, name, None), ast.AST):
            yield whole
    yield from getattr(node, "decorator_list", ())


class Module:
    """A module whose nodes know where in its text they stand."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        lines = text.splitlines(keepends=True)
        self.lines = [line.encode() for line in lines]
        self.starts = [sum(map(len, lines[:number])) for number in range(len(lines))]

    def place(self, line: int, column: int) -> int:
        """Return where in the text a line's byte stands."""
        inside = self.lines[line - 1][:column].decode()
        return self.starts[line - 1] + len(inside)

    def start(self, node: ast.expr | ast.stmt) -> int:
        return self.place(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        return self.place(node.end_lineno or 0, node.end_col_offset or 0)

    def source(self, node: ast.expr) -> str:
        return self.text[self.start(node) : self.end(node)]

    def edits(self) -> Iterator[Edit]:
        checked = {
            id(inner)
            for node in ast.walk(self.tree)
            for whole in declared(node)
            for inner in ast.walk(whole)
        }
        for node in ast.walk(self.tree):
            if id(node) not in checked:
                yield from self.of_node(node)

    def of_node(self, node: ast.AST) -> Iterator[Edit]:
        match node:
            case ast.Compare() | ast.BinOp() | ast.BoolOp():
                yield from self.of_operators(node)
            case ast.UnaryOp(op=ast.Not()):
                yield self.instead("condition", node, self.source(node.operand))
            case ast.IfExp():
                yield self.of_branches(node)
            case ast.Constant():
                yield from self.of_constant(node)
            case ast.Call():
                yield from self.of_call(node)
            case ast.comprehension():
                for condition in node.ifs:
                    yield self.instead("filter", condition, "True")
            case ast.Break() | ast.Continue():
                other = "continue" if isinstance(node, ast.Break) else "break"
                yield self.instead("statement", node, other)
            case ast.Expr(value=ast.Call()):
                yield self.instead("statement", node, "pass")

    def of_operators(
        self, node: ast.Compare | ast.BinOp | ast.BoolOp
    ) -> Iterator[Edit]:
        if isinstance(node, ast.Compare):
            terms = pairwise([node.left, *node.comparators])
            for (left, right), how in zip(terms, node.ops, strict=True):
                yield from self.between(left, right, *COMPARED[type(how)])
        elif isinstance(node, ast.BoolOp):
            yield from self.of_condition(node)
        elif words := COMPUTED.get(type(node.op)):
            yield from self.between(node.left, node.right, "arithmetic", *words)

    def of_branches(self, node: ast.IfExp) -> Edit:
        then, otherwise, condition = map(
            self.source, (node.body, node.orelse, node.test)
        )
        return self.instead("swap", node, f"({otherwise}) if {condition} else ({then})")

    def of_constant(self, node: ast.Constant) -> Iterator[Edit]:
        if isinstance(node.value, bool):
            yield self.instead("constant", node, str(not node.value))
        elif isinstance(node.value, int):
            yield self.instead("constant", node, str(node.value + 1))
            if other := UNITS.get(node.value):
                yield self.instead("unit", node, other)

    def of_condition(self, node: ast.BoolOp) -> Iterator[Edit]:
        words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in pairwise(node.values):
            yield from self.between(left, right, "condition", *words)
        for dropped in node.values:
            kept = [self.source(one) for one in node.values if one is not dropped]
            yield self.instead("filter", node, f"({f' {words[0]} '.join(kept)})")

    def of_call(self, node: ast.Call) -> Iterator[Edit]:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if other := OTHER_WAY.get(name):
            yield self.instead("function", node.func, other)
        if name in {"sorted", "set", "frozenset", "abs"} and len(node.args) == 1:
            inner = self.source(node.args[0])
            if not isinstance(node.args[0], ast.GeneratorExp):
                yield self.instead("function", node, f"list({inner})")
        if name in {"min", "max"}:
            return  # the same in any order
        positional = [one for one in node.args if not isinstance(one, ast.Starred)]
        for one, other_one in pairwise(positional):
            if type(one) is type(other_one) and isinstance(
                one, ast.Name | ast.Attribute
            ):
                middle = self.text[self.end(one) : self.start(other_one)]
                both = self.source(other_one) + middle + self.source(one)
                yield Edit("swap", self.start(one), self.end(other_one), both)

    def between(
        self, left: ast.expr, right: ast.expr, kind: str, old: str, new: str
    ) -> Iterator[Edit]:
        place = self.text.find(old, self.end(left), self.start(right))
        if place >= 0:
            yield Edit(kind, place, place + len(old), new)

    def instead(self, kind: str, node: ast.expr | ast.stmt, new: str) -> Edit:
        return Edit(kind, self.start(node), self.end(node), new)

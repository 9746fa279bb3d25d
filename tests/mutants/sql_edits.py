"""The wrong edits of a SQL model, from its tokens."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from edits import Edit, in_order
from sqlglot import tokenize
from sqlglot.tokens import Token, TokenType

OTHERS: dict[str, tuple[str, str]] = {
    "<": ("bound", "<="),
    "<=": ("bound", "<"),
    ">": ("bound", ">="),
    ">=": ("bound", ">"),
    "=": ("comparison", "<>"),
    "<>": ("comparison", "="),
    "+": ("arithmetic", "-"),
    "-": ("arithmetic", "+"),
    "*": ("arithmetic", "/"),
    "/": ("arithmetic", "*"),
    "and": ("condition", "or"),
    "or": ("condition", "and"),
    "desc": ("order", "asc"),
    "min": ("function", "max"),
    "max": ("function", "min"),
    "arg_min": ("function", "arg_max"),
    "arg_max": ("function", "arg_min"),
    "least": ("function", "greatest"),
    "greatest": ("function", "least"),
    "first_value": ("function", "last_value"),
    "last_value": ("function", "first_value"),
    "row_number": ("ties", "rank"),
    "left": ("join", "inner"),
    "true": ("constant", "false"),
    "false": ("constant", "true"),
}
"""By word: what it is, and what stands there instead."""
CALLED = {"left", "min", "max", "arg_min", "arg_max", "least", "greatest", "row_number"}
CALLED |= {"first_value", "last_value"}
DROPPED = {"distinct": "distinct", "not": "condition", "all": "union"}
DROPPED_AFTER = {"distinct": {"select", "("}, "all": {"union"}}
UNWRAPPED = {"lower", "upper", "trim", "abs", "round", "ceil", "floor"}
UNITS = {"60": "1000", "1000": "60", "3600": "60", "1000000": "1000"}
JOINS = {
    "left",
    "inner",
    "cross",
    "full",
    "anti",
    "semi",
    "asof",
    "right",
    "positional",
}
ENDS = {
    "group by",
    "order by",
    "having",
    "qualify",
    "union",
    "window",
    "limit",
    "where",
}
ENDS |= {"select", "left", "join", "inner", "cross", "asof", "from", "except", "rows"}
ENDS |= {"range"}


def sql_edits(text: str) -> list[Edit]:
    """Return every edit of a model, each result once, in the order of the text."""
    return in_order(Model(text).edits(), text)


class Model:
    """The tokens of a SELECT, and how deep in brackets each of them stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text, read="duckdb")
        self.words = [
            "" if token.token_type is TokenType.STRING else token.text.lower()
            for token in self.tokens
        ]
        self.depths: list[int] = []
        depth = 0
        for word in self.words:
            depth -= word in {")", "]", "end"}
            self.depths.append(depth)
            depth += word in {"(", "[", "case"}

    def edits(self) -> Iterator[Edit]:
        for number, word in enumerate(self.words):
            yield from self.of_word(number, word)
            yield from self.of_clause(number, word)

    def of_word(self, number: int, word: str) -> Iterator[Edit]:
        token, follows = self.tokens[number], self.word(number + 1)
        if word in OTHERS and self.is_operator(number):
            yield Edit(OTHERS[word][0], token.start, token.end + 1, OTHERS[word][1])
        before = self.word(number - 1)
        if word in DROPPED and before in DROPPED_AFTER.get(word, {before}):
            yield Edit(DROPPED[word], token.start, self.tokens[number + 1].start, "")
        if word == "is" and follows in {"null", "distinct"}:
            yield Edit("comparison", token.end + 1, token.end + 1, " not")
        if word == "join" and before not in JOINS:
            yield Edit("join", token.start, token.start, "left ")
        if word.isdigit() and not self.is_of_type(number):
            yield Edit("constant", token.start, token.end + 1, str(int(word) + 1))
            if word in UNITS:
                yield Edit("unit", token.start, token.end + 1, UNITS[word])

    def is_operator(self, number: int) -> bool:
        """Return True if a word compares, computes or calls, as OTHERS takes it."""
        word, before, follows = (self.word(number + step) for step in (0, -1, 1))
        if word == "and":
            return not self.is_of_between(number)
        if word in CALLED:
            return (follows == "(") != (word == "left")
        if word == "*":
            return before not in {"select", "(", ".", ","} and follows != "exclude"
        if word in {"+", "-"}:
            return before not in {"(", ",", "then", "else", "select", "="}
        return True

    def is_of_type(self, number: int) -> bool:
        """Return True if a number is how many digits a type has."""
        opening = number - (1 if self.word(number - 1) == "(" else 3)
        return self.word(opening - 1) in {"decimal", "varchar"}

    def is_of_between(self, number: int) -> bool:
        depth = self.depths[number]
        for place in range(number - 1, -1, -1):
            if self.depths[place] < depth:
                return False
            if self.depths[place] == depth and self.words[place] in {"and", "between"}:
                return self.words[place] == "between"
        return False

    def of_clause(self, number: int, word: str) -> Iterator[Edit]:
        match word, self.word(number + 1):
            case "where" | "on" | "qualify" | "having" | "when", _:
                yield from self.without(number + 1, "and", "filter", "true")
            case "order by", _:
                yield from self.without(number + 1, ",", "ties", "")
                yield from self.turned(number + 1)
            case "partition by" | "group by", _:
                yield from self.without(number + 1, ",", "group", "")
            case "coalesce", "(":
                yield from self.without(number + 2, ",", "coalesce", "")
            case name, "(" if name in UNWRAPPED:
                first, *_ = self.parts(number + 2, ",")
                end = self.close(number + 1)
                yield self.over(number, end, "function", self.of(first))
            case "select", _:
                yield from self.swapped_columns(number + 1)
            case "then", _:
                yield from self.swapped_branches(number)

    def without(self, first: int, comma: str, kind: str, none: str) -> Iterator[Edit]:
        """Yield a clause with one of its parts left out, or with ``none`` at all."""
        parts = self.parts(first, comma)
        start, end = parts[0][0], parts[-1][1]
        if len(parts) == 1:
            if none and end > start:
                yield self.over(start, end - 1, kind, none)
            return
        joint = ", " if comma == "," else f" {comma} "
        for dropped in parts:
            kept = joint.join(self.of(one) for one in parts if one is not dropped)
            yield self.over(start, end - 1, kind, kept)

    def turned(self, first: int) -> Iterator[Edit]:
        for start, end in self.parts(first, ","):
            words = self.words[start:end]
            if not {"asc", "desc", "all"} & {*words}:
                last = start + words.index("nulls") if "nulls" in words else end
                place = self.tokens[last - 1].end + 1
                yield Edit("order", place, place, " desc")

    def swapped_columns(self, first: int) -> Iterator[Edit]:
        """Yield neighbours, two columns with nothing else, in each other's place."""
        items = [self.column(*part) for part in self.parts(first, ",")]
        for one, other in pairwise(items):
            if one and other and self.of(one) != self.of(other):
                middle = self.text[
                    self.tokens[one[1] - 1].end + 1 : self.tokens[other[0]].start
                ]
                both = self.of(other) + middle + self.of(one)
                yield self.over(one[0], other[1] - 1, "swap", both)

    def column(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the part before ``as`` if that is a bare column with another name."""
        words = self.words[start:end]
        end = start + words.index("as") if "as" in words else end
        shape = self.words[start + 1 : end : 2]
        is_name = all(one.replace("_", "").isalnum() for one in self.words[start:end:2])
        is_bare = end > start and is_name and shape in ([], ["."])
        return (start, end) if is_bare and "as" in words else None

    def swapped_branches(self, number: int) -> Iterator[Edit]:
        depth = self.depths[number]
        inside = range(number + 1, self.last(number + 1, depth))
        for other in inside:
            if self.depths[other] == depth and self.words[other] in {"when", "else"}:
                if self.words[other] == "else":
                    end = self.last(other, depth)
                    then = (number + 1, other)
                    otherwise = (other + 1, end)
                    both = f"{self.of(otherwise)} else {self.of(then)}"
                    yield self.over(number + 1, end - 1, "swap", both)
                return

    def parts(self, first: int, comma: str) -> list[tuple[int, int]]:
        """Return where the parts of a clause start, and the token after each."""
        depth, start, found = self.depths[first], first, list[tuple[int, int]]()
        stop = self.last(first, depth)
        for place in range(first, stop):
            if self.depths[place] != depth:
                continue
            word = self.words[place]
            if self.is_end(place):
                stop = place
                break
            if word == comma and not (word == "and" and self.is_of_between(place)):
                found.append((start, place))
                start = place + 1
        return [*found, (start, stop)]

    def is_end(self, place: int) -> bool:
        """Return True if a word ends the clause before it."""
        word, before, follows = (self.word(place + step) for step in (0, -1, 1))
        if word == "from" and before == "distinct":
            return False
        return word == "then" or (word in ENDS and follows != "(")

    def last(self, first: int, depth: int) -> int:
        """Return the token that closes the brackets around ``first``."""
        for place in range(first, len(self.words)):
            if self.depths[place] < depth:
                return place
        return len(self.words)

    def close(self, opening: int) -> int:
        return self.last(opening + 1, self.depths[opening] + 1)

    def word(self, number: int) -> str:
        return self.words[number] if 0 <= number < len(self.words) else ""

    def of(self, part: Sequence[int]) -> str:
        start, end = part
        if end <= start:
            return ""
        return self.text[self.tokens[start].start : self.tokens[end - 1].end + 1]

    def over(self, first: int, last: int, kind: str, new: str) -> Edit:
        tokens: list[Token] = self.tokens
        return Edit(kind, tokens[first].start, tokens[last].end + 1, new)

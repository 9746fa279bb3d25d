"""Print ``callhouse verify``: findings on stdout, the total on stderr; or JSON."""

from collections.abc import Sequence
from dataclasses import asdict

from pipelines.cli.tables import plain_rows, show_rows, stderr
from pipelines.commands.verify import Verdict
from pipelines.warehouse.published_queries import Row


def as_json(verdicts: Sequence[Verdict]) -> list[Row]:
    """Return what was compared, and the differences, as JSON values."""
    return [
        {**asdict(one), "findings": plain_rows(map(asdict, one.findings))}
        for one in verdicts
    ]


def show_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Print the differences on stdout, and how much was compared on stderr."""
    findings = [finding for one in verdicts for finding in one.findings]
    if findings:
        show_rows([asdict(finding) for finding in findings])
    for one in verdicts:
        stderr().print(
            f"{one.vendor}: {one.windows} windows with {one.records:,} records "
            f"compared in {one.requests} requests, {len(one.findings)} findings",
            highlight=False,
        )

"""What ``callhouse verify`` found: findings on stdout, what was compared on stderr."""

from collections.abc import Sequence
from dataclasses import asdict

from pipelines.cli.tables import show_rows, stderr
from pipelines.commands.verify import Verdict


def show_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Print what does not agree on stdout, and how much was compared on stderr."""
    findings = [finding for one in verdicts for finding in one.findings]
    if findings:
        show_rows([asdict(finding) for finding in findings])
    for one in verdicts:
        stderr().print(
            f"{one.vendor}: {one.windows} windows with {one.records:,} records "
            f"compared in {one.requests} requests, {len(one.findings)} findings",
            highlight=False,
        )

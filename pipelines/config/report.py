"""The section ``[report]``: whether a page is written, and what is in it."""

from dataclasses import dataclass

from pipelines.extract.source import ZeroOrMore


@dataclass(frozen=True)
class Report:
    """What the page ``report.html`` shows, and how many older ones stay."""

    enabled: bool = True
    """Whether it is written after each publish."""
    days: int = 90
    """How many dates it shows, the last ones."""
    calls: ZeroOrMore = 20
    """How many of the last calls it shows one by one; 0: none, nor the dearest."""
    keep: ZeroOrMore = 30
    """How many pages of earlier days stay; 0: none."""
    phone_numbers: bool = False
    """Whether it shows phone numbers as the published file does; False: none at all."""

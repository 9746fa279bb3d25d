"""The section ``[build]``: how much a build does at once, and where."""

from dataclasses import dataclass

from pipelines.extract.source import ZeroOrMore

SECTION = "build"


@dataclass(frozen=True)
class Building:
    """How a build of many calls is divided into shards: docs/scale.md."""

    shard_size: ZeroOrMore = 100_000
    """Records of a shard. A build of twenty times as many is divided, with several
    processes or Spark one of twice as many; 0: none is."""
    processes: int = 1
    """How many shards a machine builds side by side; they share the memory."""
    spark: str = ""
    """The master of the Spark that builds the shards, as Spark writes it; "": none,
    they are built by processes of this machine."""
    folder: str = ""
    """For the files of the shards, which all machines must have; "": the warehouse."""

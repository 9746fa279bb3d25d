"""Shards on Apache Spark: each is a task, which one of the executors' machines builds.

The machines must have this program, of the same version, and must reach the raw files
or lakes and the folder of the shards under the same names. Spark starts a task again
that was lost with its machine; only the files that the results name count.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from transforms.runner.processes import ATTEMPTS, outcome
from transforms.runner.shards import ShardError, ShardResult

SETTINGS: Mapping[str, str] = {
    "spark.task.maxFailures": str(ATTEMPTS + 1),
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
"""Of Spark, where its own configuration has no others."""


@dataclass(frozen=True)
class Cluster:
    """Builds shards on Spark: see `shards.Spread`."""

    master: str
    """As Spark writes it, such as ``spark://host:7077``."""
    side_by_side: int = 1
    """How many shards a machine builds at once: that many share its memory."""

    def __call__(
        self, work: Callable[[int], ShardResult], numbers: Sequence[int]
    ) -> Iterable[ShardResult]:
        """Do the work for each number in a task of its own."""
        try:
            with _context(self.master) as context:
                tasks = context.parallelize(numbers, len(numbers))
                answers = tasks.map(partial(outcome, work)).collect()
        except ShardError:
            raise
        except Exception as error:
            # py4j says first that an error occurred, and in the second line which.
            lines = str(error).strip().splitlines()[:2]
            reason = [type(error).__name__, *lines][-1]
            raise ShardError(
                f"Spark at {self.master} could not build the shards, so nothing was "
                f"changed: {reason.removeprefix(': ')}"
            ) from error
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        results: list[ShardResult] = answers
        return results


@contextmanager
def _context(master: str) -> Iterator[Any]:
    """Connect to Spark for one build."""
    if find_spec("pyspark") is None:
        raise ShardError(
            "pyspark is not installed, which [build] spark needs; run: pip install "
            "'callhouse[spark]'"
        )
    pyspark = import_module("pyspark")
    # Without it the machines would take whatever python3 they find.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    given = pyspark.SparkConf().setAppName("callhouse").setMaster(master)
    for name, value in SETTINGS.items():
        given.setIfMissing(name, value)
    context = pyspark.SparkContext(conf=given)
    try:
        context.setLogLevel("ERROR")
        yield context
    finally:
        context.stop()

"""Shards in processes of this machine, so many side by side."""

import os
import pickle
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection as pipes
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection

from transforms.runner.shards import ShardError, ShardResult

ATTEMPTS = 3
"""How often a shard is built whose process ends without a result."""
_Work = Callable[[int], ShardResult]
_CONTEXT = get_context("spawn")
"""A fork would share locks of threads that it does not have."""


@dataclass(frozen=True)
class Processes:
    """Builds shards in processes that build one after another: see `shards.Spread`."""

    side_by_side: int = 1
    """How many processes there are at most."""

    def __call__(self, work: _Work, numbers: Sequence[int]) -> Iterable[ShardResult]:
        """Do the work for each number; if its process is killed, again in another."""
        waiting, attempts = deque(numbers), Counter[int]()
        results: list[ShardResult] = []
        workers: list[_Worker] = []
        try:
            while len(results) < len(numbers):
                idle = [one for one in workers if one.number is None]
                free = self.side_by_side - len(workers)
                idle += [_Worker(work) for _ in range(min(free, len(waiting)))]
                workers += [one for one in idle if one not in workers]
                for worker in idle:
                    if waiting:
                        worker.start(waiting.popleft())
                busy = {one.pipe: one for one in workers if one.number is not None}
                for pipe in pipes.wait([*busy]):
                    worker = next(one for one in workers if one.pipe is pipe)
                    number, result = worker.number, worker.answer()
                    if result is not None:
                        results.append(result)
                    elif number is not None:
                        workers.remove(worker)
                        worker.stop()
                        attempts[number] += 1
                        _refuse_again(number, attempts[number], worker.exit_code)
                        waiting.append(number)
        finally:
            for worker in workers:
                worker.stop()
        return results


class _Worker:
    """A process that builds one shard at a time."""

    def __init__(self, work: _Work) -> None:
        self.number: int | None = None
        """What it builds now."""
        self.pipe, other = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(other, work), daemon=True)
        self._process.start()
        other.close()

    @property
    def exit_code(self) -> int | None:
        return self._process.exitcode

    def start(self, number: int) -> None:
        self.number = number
        with suppress(OSError):  # if it has ended, the answer says so
            self.pipe.send(number)

    def answer(self) -> ShardResult | None:
        """Return its result, or None if it has ended; raise what its work raised."""
        self.number = None
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            return None
        if isinstance(answer, Exception):
            raise answer
        result: ShardResult = answer
        return result

    def stop(self) -> None:
        """End the process, whatever it does: its file counts no more."""
        self.pipe.close()
        self._process.kill()
        self._process.join()


def _refuse_again(number: int, attempts: int, exit_code: int | None) -> None:
    if attempts >= ATTEMPTS:
        raise ShardError(
            f"the process of shard {number} ended {attempts} times without a result "
            f"(exit code {exit_code}; -9 is often a lack of memory), so nothing was "
            "changed; smaller shards need less memory: [build] shard_size"
        )


def _serve(pipe: Connection, work: _Work) -> None:
    """Build one shard after another, until the process that asks for them has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: it ends the other
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            number = pipe.recv()
        except EOFError:
            return
        pipe.send(outcome(work, number))


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
    os._exit(1)


def outcome(work: _Work, number: int) -> ShardResult | Exception:
    """Return the result of a shard, or the error, as one that can be sent."""
    try:
        return work(number)
    except Exception as error:  # noqa: BLE001 - it is raised where the build is
        error.add_note(f"in shard {number}:\n{traceback.format_exc()}")
        try:
            # Made here a moment ago: it is not from elsewhere.
            pickle.loads(pickle.dumps(error))  # noqa: S301 # nosec B301
        except Exception:  # noqa: BLE001 - whatever its class does
            return RuntimeError(f"{type(error).__name__}: {error}")
        return error

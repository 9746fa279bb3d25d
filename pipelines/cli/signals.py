"""Ctrl-C and SIGTERM: a command ends within a second, with one sentence."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A signal asks the command to end; ``exit_code`` is what a shell expects."""

    def __init__(self, number: int) -> None:
        """Keep the signal's number."""
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interrupted` at the first Ctrl-C or SIGTERM, and no other error.

    Else a library could turn the signal into an error of its own. A signal that
    was ignored before stays ignored, as in a shell's background jobs.
    """
    heard: list[int] = []

    def stop(number: int, _: FrameType | None) -> NoReturn:
        heard.append(number)
        for one in SIGNALS:  # a second signal must not interrupt the cleanup
            signal.signal(one, signal.SIG_IGN)
        raise Interrupted(number)

    before = {
        one: signal.signal(one, stop)
        for one in SIGNALS
        if signal.getsignal(one) is not signal.SIG_IGN
    }
    try:
        yield
    except BaseException:
        if heard:
            raise Interrupted(heard[0]) from None
        raise
    finally:
        if not heard:
            for one, handler in before.items():
                signal.signal(one, handler)

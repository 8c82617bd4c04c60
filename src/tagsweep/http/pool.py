"""Pool: a bounded number of threads that work through a long list lazily and stop cleanly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Self, TypeVar

from tagsweep.http.clock import wait_until

Item = TypeVar("Item")
Result = TypeVar("Result")


class Pool:
    """``workers`` threads. A context manager; the threads live until its end, so their connections are reused."""

    def __init__(self, workers: int) -> None:
        self._workers = max(1, workers)
        self._stop = threading.Event()
        self._executor = ThreadPoolExecutor(
            max_workers=self._workers, thread_name_prefix="tagsweep", initializer=wait_until, initargs=(self._stop,)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the calls in flight finish and end the threads."""
        self._stop.set()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def map_unordered(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
        """Yield each item with its result, in the order in which they are ready.

        At most twice as many items as there are workers are taken ahead of the consumer. On the first exception, on
        Ctrl-C and when the consumer stops, nothing more is begun, the calls in flight finish, and then it is raised.
        A call that waits before a request (a pause that the registry asked for) does not send it any more.
        A function must not use the pool that it runs in.
        """
        ready: SimpleQueue[Future[Result]] = SimpleQueue()
        pending: dict[Future[Result], Item] = {}
        source = iter(items)
        exhausted = False
        try:
            while True:
                while not exhausted and len(pending) < 2 * self._workers:
                    try:
                        item = next(source)
                    except StopIteration:
                        exhausted = True
                        break
                    future = self._executor.submit(function, item)
                    pending[future] = item
                    future.add_done_callback(ready.put)
                if not pending:
                    return
                future = ready.get()
                yield pending.pop(future), future.result()
        finally:
            self._drain(pending)

    def _drain(self, pending: dict[Future[Result], Item]) -> None:
        # A second Ctrl-C while waiting here is let through: then somebody really wants to leave.
        running = [future for future in pending if not future.cancel()]
        if running:
            self._stop.set()
            for future in running:
                future.exception()
            self._stop.clear()

"""The event loop that calls agents for the local scheduler process: one thread for all its runs.

Nothing on the loop may block. What may wait for AWS or for the database goes to a few threads.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from agents import AgentClient, loop
from agents.loop import AgentLoop
from executions import runner
from executions.gates import Gates
from executions.runner import Run

logger = logging.getLogger(__name__)

# Threads for what blocks: tokens, signatures, agents' records and profiles, tokens of owners.
THREADS = 16
# How long a request that is not made counts as one that the loop has not come to.
UNSENT_SECONDS = 1.0
# How long the loop may take to begin, or to end.
SECONDS = 10.0


class RunLoop:
    """Calls the agents of any number of runs at the same time.

    Args:
        client: calls the default agent.
        gates: the places of each agent.
        ended: called on the loop with each run that has a result; it must not block.
    """

    def __init__(self, client: AgentClient, gates: Gates, ended: Callable[[Run], None]) -> None:
        self._client, self._gates, self._ended = client, gates, ended
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="run")
        self._thread = threading.Thread(target=self._work, name="runs", daemon=True)
        self._is_ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        # The ids of runs whose requests the loop is still busy to make.
        self._unsent: set[str] = set()

    @property
    def unsent(self) -> int:
        """How many requests the loop has still to make, without those that wait for others."""
        return len(self._unsent)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()
        self._is_ready.wait(SECONDS)

    def begin(self, runs: Sequence[Run]) -> None:
        """Call the agents of runs that this process has claimed."""
        self._unsent.update(run.execution.pk for run in runs)
        if self._loop is not None and runs:
            self._loop.call_soon_threadsafe(self._begin, list(runs))

    def stop(self) -> None:
        """End the calls that are still under way, and the threads. Their runs get no result."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _work(self) -> None:
        loop.run(self._serve())

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        async with AgentLoop(self._threads) as self._agents:
            self._loop = asyncio.get_running_loop()
            self._is_ready.set()
            await self._stopped.wait()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, runs: list[Run]) -> None:
        running = asyncio.get_running_loop()
        for run in runs:
            # A request that takes longer waits for a token, its agent's host or its gate. It must
            # not keep the runs of other agents from being claimed.
            running.call_later(UNSENT_SECONDS, self._unsent.discard, run.execution.pk)
            task = asyncio.create_task(self._call(run))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _call(self, run: Run) -> None:
        on_sent = partial(self._unsent.discard, run.execution.pk)
        tools = self._client, self._agents, self._threads, run.gate
        await runner.call_on_loop(run, *tools, on_sent)
        on_sent()
        self._ended(run)
        # The record ends first, because an agent may take seconds to acknowledge this.
        if run.stop_agent is not None:
            self._threads.submit(runner.stop_agent, run)

"""A 100 MB answer and the cost of a small one, by `python -m benchmarks.stream`."""

import multiprocessing
import threading
import time
from multiprocessing.connection import Connection

import psutil

from executions.agent import (
    AgentClient,
    CachedTokens,
    ClientCredentials,
    Invocation,
    new_session_id,
)
from executions.demo_agent import DemoAgent

MEGABYTES = 100
STREAMS = 3
RUNS = 500
MB_PER_SECOND_GOAL = 50
MEMORY_MB_GOAL = 20
CPU_MS_GOAL = 3


def serve(pipe: Connection) -> None:
    """Run the demo agent in this process until the other one says so."""
    with DemoAgent(pause=0) as agent:
        pipe.send(agent.url)
        pipe.recv()


def invoke(client: AgentClient, prompt: str) -> int:
    """Run one prompt, and return the bytes said."""
    invocation = Invocation(
        prompt=prompt, target_user_id="bench", session_id=new_session_id(), execution_id="bench"
    )
    return client.invoke(invocation, time_limit=60, max_retries=0).output.total_bytes


def peak_while(work: threading.Thread) -> int:
    """Start the thread, and return the highest RSS in bytes until it ends."""
    process = psutil.Process()
    peak = process.memory_info().rss
    work.start()
    while work.is_alive():
        peak = max(peak, process.memory_info().rss)
        work.join(0.01)
    return peak


def measure_stream(client: AgentClient) -> tuple[float, float]:
    """MB/s over the wire, and MB of memory on top."""
    before = psutil.Process().memory_info().rss
    work = threading.Thread(target=invoke, args=(client, f"demo: bytes {MEGABYTES}MB"))
    began = time.perf_counter()
    peak = peak_while(work)
    return MEGABYTES / (time.perf_counter() - began), (peak - before) / 1e6


def measure_small(client: AgentClient) -> float:
    """CPU of this process for a run of some 60 events, in milliseconds."""
    began = time.process_time()
    for _ in range(RUNS):
        invoke(client, "Say hello")
    return (time.process_time() - began) / RUNS * 1000


def main() -> None:
    """Print each figure beside its goal."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,))
    server.start()
    url = ours.recv()
    tokens = CachedTokens(ClientCredentials(url, "demo", "demo"))
    with AgentClient(url, tokens) as client:
        invoke(client, "warm up")
        streams = [measure_stream(client) for _ in range(STREAMS)]
        cpu = measure_small(client)
    ours.send(None)
    server.join()
    speeds, memories = zip(*streams, strict=True)
    each = ", ".join(f"{speed:.1f}" for speed in speeds)
    print(f"{MEGABYTES} MB stream   {each} MB/s   (goal: at least {MB_PER_SECOND_GOAL})")
    print(f"extra memory    {max(memories):7.1f} MB     (goal: below {MEMORY_MB_GOAL})")
    print(f"CPU a small run {cpu:7.2f} ms     (goal: below {CPU_MS_GOAL})")


if __name__ == "__main__":
    main()

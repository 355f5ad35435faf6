"""Measures 100 MB answers in each protocol, and the CPU of a small one.

Run it with `python -m benchmarks.stream`.
"""

import multiprocessing
import secrets
import threading
import time
from multiprocessing.connection import Connection

import psutil

from agents import (
    AgentClient,
    CachedTokens,
    ClientCredentials,
    Invocation,
    new_session_id,
)
from agents.demo import DemoAgent
from agents.protocols import PROTOCOLS

MEGABYTES = 100
STREAMS = 3
RUNS = 500
MB_PER_SECOND_GOAL = 50
MEMORY_MB_GOAL = 20
CPU_MS_GOAL = 3
# The protocol of each form, and a line of its prompt.
FORMS = {
    "of lines": ("invocations", ""),
    "of events": ("invocations", "demo: sse"),
    **{f"of {name}": (name, "") for name in PROTOCOLS if name != "invocations"},
}
SECRETS = tuple(secrets.token_hex(20) for _ in range(3))


def serve(pipe: Connection) -> None:
    """Run the demo agent in this process until the other process sends a message."""
    with DemoAgent(pause=0) as agent:
        pipe.send(agent.url)
        pipe.recv()


def invoke(client: AgentClient, prompt: str) -> int:
    """Run one prompt, masking the token and three secrets; returns the size of the answer."""
    invocation = Invocation(
        prompt=prompt,
        target_user_id="bench",
        session_id=new_session_id(),
        execution_id="bench",
        secrets=SECRETS,
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


def measure_stream(client: AgentClient, form: str) -> tuple[float, float, float]:
    """MB/s over the wire, MB per second of this process's CPU, and additional memory in MB.

    Args:
        client: calls the demo agent.
        form: a line of the prompt.
    """
    before = psutil.Process().memory_info().rss
    work = threading.Thread(target=invoke, args=(client, f"{form}\ndemo: bytes {MEGABYTES}MB"))
    began, used = time.perf_counter(), time.process_time()
    peak = peak_while(work)
    taken, used = time.perf_counter() - began, time.process_time() - used
    return MEGABYTES / taken, MEGABYTES / used, (peak - before) / 1e6


def measure_small(client: AgentClient) -> float:
    """CPU time of this process for a run of about 60 events, in milliseconds."""
    began = time.process_time()
    for _ in range(RUNS):
        invoke(client, "Say hello")
    return (time.process_time() - began) / RUNS * 1000


def main() -> None:
    """Print each figure with its goal."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,))
    server.start()
    url = ours.recv()
    tokens = CachedTokens(ClientCredentials(url, "demo", "demo"))
    streams = {}
    for name, (protocol, form) in FORMS.items():
        with AgentClient(url, tokens, protocol=PROTOCOLS[protocol]) as client:
            invoke(client, "warm up")
            streams[name] = [measure_stream(client, form) for _ in range(STREAMS)]
    with AgentClient(url, tokens) as client:
        invoke(client, "warm up")
        cpu = measure_small(client)
    ours.send(None)
    server.join()
    for name, measured in streams.items():
        each = ", ".join(f"{speed:.1f}" for speed, _, _ in measured)
        # What others do on the machine slows the first figures, and hardly the second.
        alone = max(speed for _, speed, _ in measured)
        print(
            f"{MEGABYTES} MB {name:14} {each} MB/s   (goal: at least {MB_PER_SECOND_GOAL}), "
            f"{alone:.1f} MB a second of CPU"
        )
    memory = max(memory for measured in streams.values() for _, _, memory in measured)
    print(f"extra memory    {memory:7.1f} MB     (goal: below {MEMORY_MB_GOAL})")
    print(f"CPU a small run {cpu:7.2f} ms     (goal: below {CPU_MS_GOAL})")


if __name__ == "__main__":
    main()

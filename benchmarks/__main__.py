"""Runs all benchmarks one after the other, for `make bench`."""

import subprocess
import sys

NAMES = [
    "expressions",
    "libraries",
    "bounds",
    "stream",
    "api",
    "pages",
    "scheduler",
    "owner_tokens",
    "events",
    "reconcile",
    "dynamodb",
    "units",
    "handler",
]


def main() -> int:
    failed = []
    for name in NAMES:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())

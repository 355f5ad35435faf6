"""An agent to try the product with, and to test it against: it speaks the whole protocol.

It thinks nothing up: it answers from the prompt's own words. Lines such as `demo: fail` in a
prompt make it misbehave; docs/demo-agent.md lists them.
"""

from agents.demo.server import DemoAgent

__all__ = ["DemoAgent"]

"""The demo agent, to try and to test the product with: it speaks every protocol.

It uses no model: it answers from the prompt's own words. Lines such as `demo: fail` in a prompt
make it misbehave; docs/demo-agent.md lists them.
"""

from agents.demo.server import DemoAgent

__all__ = ["DemoAgent"]

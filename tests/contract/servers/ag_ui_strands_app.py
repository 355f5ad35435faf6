"""AG-UI by AGUIApp of AgentCore's Python SDK, over ag-ui-strands. Usage: PORT."""

import sys

from ag_ui_strands import StrandsAgent
from bedrock_agentcore.runtime.ag_ui import AGUIApp
from standin import StandIn, ask, clock
from strands import Agent

app = AGUIApp()
agent = Agent(model=StandIn(), tools=[clock, ask], callback_handler=None)
app.entrypoint(StrandsAgent(agent, name="stand-in", description="A stand-in."))
app.run(port=int(sys.argv[1]), host="127.0.0.1")

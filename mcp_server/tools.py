"""All tools by name, in the order in which they are listed."""

from mcp_server import run_tools, trigger_tools
from mcp_server.tool import Tool

ALL: dict[str, Tool] = {tool.name: tool for tool in (*trigger_tools.TOOLS, *run_tools.TOOLS)}

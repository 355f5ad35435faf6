"""An MCP server at /mcp: agents look after triggers by tools, resources and prompts."""

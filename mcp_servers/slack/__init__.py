"""An MCP server for Slack that posts, and asks people with buttons; the answer comes when somebody presses one."""

"""A lean MCP server for the GitHub REST API."""

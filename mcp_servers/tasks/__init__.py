"""MCP Tasks for servers that wrap an API which is called now and answers later, by a webhook."""

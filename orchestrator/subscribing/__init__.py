"""Who subscribes at MCP servers to be rung: asks, refreshes, heeds what they say of it, and leaves."""

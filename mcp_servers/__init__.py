"""Hands: MCP servers that run alone and know nobody."""

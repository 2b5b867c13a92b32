"""What runs did: conversations, turns, tool calls, waits, artifacts, money."""

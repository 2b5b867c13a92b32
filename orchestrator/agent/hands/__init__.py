"""MCP servers as hands: reached, connected, pooled, listed, compared with what was locked; they know no run."""

"""One tool call: looked at a last time, made once, and told honestly when nobody knows what became of it."""

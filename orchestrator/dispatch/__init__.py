"""From a kept event to a run: decide once, deliver in order, never lose one."""

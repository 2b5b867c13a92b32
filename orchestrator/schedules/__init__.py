"""The clock: Temporal's schedules, kept as the rules say, and what rings when one is due."""

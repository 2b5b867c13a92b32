"""What was kept: one committed row for every delivery, and one for every decision taken on it."""

"""The doorbell command."""

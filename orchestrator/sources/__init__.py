"""Who may ring: a source is a signature scheme and the dialect its deliveries speak."""

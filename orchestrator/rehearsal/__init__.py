"""What rules and their configuration would do, asked without doing any of it; it writes nothing and starts nothing."""

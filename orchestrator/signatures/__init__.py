"""Who rang: pure verifiers over bytes; they say yes or refuse with a named reason."""

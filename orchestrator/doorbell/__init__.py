"""The HTTP door: bytes in, one clear answer out."""

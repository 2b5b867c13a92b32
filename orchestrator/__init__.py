"""Everything that touches the world, in the order of the road: read the folders top to bottom."""

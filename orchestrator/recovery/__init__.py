"""What never came: deliveries that GitHub made and we missed, sources that fell silent, and hooks nobody can reach."""

"""What a door tells of each request, as a line of a structlog logger."""

import msgspec


def told(log):
    """The `tell` of a door that writes to `log`."""

    def tell(line, began, ended, traceparent=None):
        line.ms = round((ended - began).total_seconds() * 1000, 1)
        log.info("delivery", **msgspec.to_builtins(line))

    return tell

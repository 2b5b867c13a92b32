"""A server to copy: it wraps an imaginary print shop, which takes an order now and says by a webhook how it went."""

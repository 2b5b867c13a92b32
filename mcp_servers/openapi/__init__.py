"""A server for an API that has none: the operations that are named in its OpenAPI description, each as a tool."""

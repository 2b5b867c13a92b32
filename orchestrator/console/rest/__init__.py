"""The REST API at /api/v1: questions and words over HTTP, with the framework; it answers nothing itself."""

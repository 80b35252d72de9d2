"""Serving a policy artifact: the MXNet handler and the HTTP server before it. Nothing here imports Coach or gym."""

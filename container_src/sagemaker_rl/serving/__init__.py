"""Serving a policy artifact. The doors: ``server.serve_main``, the HTTP server, and ``handler``, for the AWS toolkit.

Of the other packages it imports ``policy`` and ``errors`` alone: the serving image has neither Coach nor gym.
"""

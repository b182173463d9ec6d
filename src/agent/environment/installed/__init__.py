"""Looks through what is installed in an environment: __main__.py says how."""

"""Goes through trees that somebody else owns: __main__.py says how."""

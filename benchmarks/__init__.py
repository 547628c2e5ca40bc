"""Measured rows: one script a row or a few that belong together. See README.md."""

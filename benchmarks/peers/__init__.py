"""Runners of the peers that Huiyi is measured beside, each in its own environment."""

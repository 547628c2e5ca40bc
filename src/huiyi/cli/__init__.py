"""The command line."""

from huiyi.cli.app import main as main

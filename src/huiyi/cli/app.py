"""The command line: parse, call, print."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from huiyi.cli.demo import demo
from huiyi.cli.logs import discover, effect, policy
from huiyi.cli.models import check, decide, evaluate, explain, replay, train
from huiyi.cli.printing import StoppedError
from huiyi.errors import HuiyiError, InputError

_STOPPED = 130  # by Ctrl-C, as shells count
app = typer.Typer(
    name="huiyi",
    help="From examples of what people say to a model that acts, asks or declines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        from huiyi import __version__

        print(f"huiyi {__version__}")
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """From examples of what people say to a model that acts, asks or declines."""


for command in (train, evaluate, decide, explain, replay, check, effect, policy, discover, demo):
    app.command()(command)


def main() -> None:
    """Run the command line. Exit code 2 and one line for what the user can mend, 1 for what is our fault."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character shows a question mark
    try:
        code = app(prog_name="huiyi", standalone_mode=False)
        if code == _STOPPED:
            raise KeyboardInterrupt
        if code:
            sys.exit(code)
    except typer.Exit as leave:
        sys.exit(leave.exit_code)
    except HuiyiError as error:
        print(f"huiyi: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except StoppedError as stop:
        print(f"huiyi: {stop}", file=sys.stderr)
        sys.exit(_STOPPED)
    except (KeyboardInterrupt, typer.Abort):
        print("huiyi: stopped; nothing was written", file=sys.stderr)
        sys.exit(_STOPPED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, which is its right
        sys.exit(0)
    except Exception as error:
        show = getattr(error, "format_message", None)
        if show is None:
            raise
        said = show()
        if not said.startswith("Usage:"):  # which is what it says where nothing was asked for
            within = getattr(error, "ctx", None)
            said = f"huiyi: {' '.join(said.split())} Try: {within.command_path if within else 'huiyi'} --help"
        print(said, file=sys.stderr)
        sys.exit(2)

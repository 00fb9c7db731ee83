"""What `tensorflowjs_converter` does, called from Python."""

from __future__ import annotations

from collections.abc import Sequence

from tfjs.errors import UsageError


def convert(arguments: Sequence[str]) -> None:
    """Convert a model as `tensorflowjs_converter` does with these arguments.

    Args:
        arguments: flags and paths, as a shell would give them.

    Raises:
        TfjsError: what makes the command fail; unlike it, this does not end the process.
    """
    import click  # noqa: PLC0415 - a script that reads weights needs no command line

    from tfjs.cli.converter import converter, explicit, run  # noqa: PLC0415

    try:
        with converter.make_context("tensorflowjs_converter", explicit(arguments)) as context:
            options = dict(context.params)
    except click.exceptions.Exit:  # --help and --version have printed what they are asked for
        return
    except click.ClickException as error:
        raise UsageError(error.format_message(), hint="see --help") from None
    del options["debug"]
    run(options)

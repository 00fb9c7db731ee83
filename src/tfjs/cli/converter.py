"""`tensorflowjs_converter`: the official tool's flags, for scripts that use them.

What the flags mean is in `official_converter.md` 1a. Where the official tool is wrong this one
is not: paths may hold spaces, `--flag=False` means false, and a bare `--quantize_uint8` does not
swallow the path behind it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from tfjs import __version__
from tfjs.cli.errors import reported
from tfjs.cli.options import Rules, add_rule, parse_metadata
from tfjs.errors import UnsupportedError, UsageError

_Command = TypeVar("_Command", bound=Callable[..., Any])

_INPUTS = {
    "keras": ("keras-h5", "keras", "h5-weights"),
    "keras_keras": ("keras", "keras-h5"),
    "keras_saved_model": ("keras-saved-model",),
    "tfjs_layers_model": ("tfjs-layers", "tfjs-weights"),
}
_OUTPUTS = {"keras": "keras-h5", "keras_keras": "keras", "tfjs_layers_model": "tfjs-layers"}
_INFERRED = {
    "keras": "tfjs_layers_model",
    "keras_keras": "tfjs_layers_model",
    "keras_saved_model": "tfjs_layers_model",
    "tf_saved_model": "tfjs_graph_model",
    "tf_frozen_model": "tfjs_graph_model",
    "tf_hub": "tfjs_graph_model",
    "tfjs_layers_model": "keras",
}
_ALL_INPUTS = tuple(_INFERRED)
_ALL_OUTPUTS = (
    "keras",
    "keras_saved_model",
    "keras_keras",
    "tfjs_layers_model",
    "tfjs_graph_model",
)
_QUANTIZE = ("quantize_float16", "quantize_uint8", "quantize_uint16")
_BOOLEANS = (
    "split_weights_by_layer",
    "skip_op_check",
    "strip_debug_ops",
    "use_structured_outputs_names",
    "control_flow_v2",
    "experiments",
)
# They act on graph models only, and are accepted for all, as the official tool does.
_GRAPH_ONLY = ("signature_name", "saved_model_tags", "output_node_names")


def explicit(arguments: Sequence[str]) -> list[str]:
    """Give every flag with an optional value its value, so that none takes the next word.

    A word right behind a bare quantisation flag is its pattern only when there are three words,
    one more than there are paths.
    """
    words = [word for word in arguments if not word.startswith("-")]
    spare = len(words) - 2 - _values_taken(arguments)
    result: list[str] = []
    pending = iter(range(len(arguments)))
    for index in pending:
        word = arguments[index]
        name = word.removeprefix("--")
        following = arguments[index + 1] if index + 1 < len(arguments) else "-"
        if word.startswith("--") and name in _QUANTIZE:
            if spare > 0 and not following.startswith("-"):
                result.append(f"{word}={following}")
                spare -= 1
                next(pending)
            else:
                result.append(f"{word}=*")
        elif word.startswith("--") and name in _BOOLEANS:
            result.append(f"{word}=True")
        else:
            result.append(word)
    return result


def _values_taken(arguments: Sequence[str]) -> int:
    """Words that belong to flags which always take a value."""
    own = {f"--{name}" for name in (*_QUANTIZE, *_BOOLEANS)} | {"--version", "-v", "--help", "-h"}
    return sum(
        word.startswith("-") and "=" not in word and word not in own and index + 1 < len(arguments)
        for index, word in enumerate(arguments)
    )


def _boolean_option(name: str, *, default: bool, text: str) -> Callable[[_Command], _Command]:
    return click.option(
        f"--{name}", type=click.BOOL, default=default, metavar="BOOL", show_default=True, help=text
    )


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="For new scripts, use the command tfjs: see tfjs convert --help.",
)
@click.argument("input_path", required=False)
@click.argument("output_path", required=False)
@click.option("--input_format", type=click.Choice(_ALL_INPUTS), default="tf_saved_model")
@click.option("--output_format", type=click.Choice(_ALL_OUTPUTS), help="Default: by input format.")
@click.option("--quantize_float16", metavar="PATTERNS", help="Weights to store as float16.")
@click.option("--quantize_uint8", metavar="PATTERNS", help="Weights to store as uint8.")
@click.option("--quantize_uint16", metavar="PATTERNS", help="Weights to store as uint16.")
@click.option("--quantization_bytes", type=click.Choice(["1", "2"]), help="Deprecated.")
@click.option("--weight_shard_size_bytes", type=int, help="Largest weight file. Default: 4194304.")
@_boolean_option("split_weights_by_layer", default=False, text="One weight group a layer.")
@click.option("--metadata", metavar="KEY:PATH,...", help="JSON files for userDefinedMetadata.")
@click.option("--signature_name", help="Graph models only.")
@click.option("--saved_model_tags", help="Graph models only.")
@click.option("--output_node_names", help="Graph models only.")
@_boolean_option("skip_op_check", default=False, text="Graph models only.")
@_boolean_option("strip_debug_ops", default=True, text="Graph models only.")
@_boolean_option("use_structured_outputs_names", default=False, text="Graph models only.")
@_boolean_option("control_flow_v2", default=False, text="Graph models only.")
@_boolean_option("experiments", default=False, text="Graph models only.")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
@click.version_option(__version__, "-v", "--version", message="tfjs %(version)s")
def converter(debug: bool, **options: Any) -> None:
    """Convert models with the flags of the official tensorflowjs_converter."""
    with reported(debug=debug):
        run(options)


def run(options: dict[str, Any]) -> None:
    """Check the official flags and convert.

    Raises:
        UsageError: flags or paths make no sense together.
        UnsupportedError: the pair of formats is not one that tfjs converts.
    """
    from tfjs._convert import convert  # noqa: PLC0415 - keeps --help fast
    from tfjs.cli.render import progress_bar, report_text  # noqa: PLC0415

    for name in ("input_path", "output_path"):
        if not options[name]:
            raise UsageError(f"Missing {name} argument", hint="see --help")
    source, given = Path(options["input_path"]), options["input_format"]
    output = options["output_format"] or _INFERRED[given]
    _check_pair(given, output, options)
    with progress_bar() as progress:
        report = convert(
            source,
            Path(options["output_path"]),
            from_=_input_format(source, given),
            to=_target(source, given, output),
            quantize=_rules(options),
            shard_size=options["weight_shard_size_bytes"] or 4 << 20,
            split_weights_by_layer=options["split_weights_by_layer"],
            metadata=parse_metadata(_pairs(options["metadata"])),
            progress=progress,
        )
    click.echo(report_text(report))


def _check_pair(given: str, output: str, options: dict[str, Any]) -> None:
    if given not in _INPUTS or output not in _OUTPUTS or (
        given != "tfjs_layers_model" and output != "tfjs_layers_model"
    ):
        raise UnsupportedError(
            f"Unsupported input_format - output_format pair: {given} - {output}",
            hint="this release of tfjs converts Keras models to TF.js layers models and back",
        )
    size = options["weight_shard_size_bytes"]
    if size is not None and size < 1:
        raise UsageError(
            f"Expected weight_shard_size_bytes to be a positive integer, but got {size}"
        )
    if size is not None and output != "tfjs_layers_model":
        raise UsageError(
            "The --weight_shard_size_bytes flag is only supported when output_format is "
            "tfjs_layers_model or tfjs_graph_model."
        )
    if options["signature_name"]:
        raise UsageError(
            "The --signature_name flag is applicable only to tf_saved_model and tf_hub"
        )
    if options["control_flow_v2"]:
        raise UsageError("The --control_flow_v2 flag is applicable only to tfjs_graph_model")


def _input_format(source: Path, given: str) -> str | None:
    """The format that the file really is, where it is one that the flag can mean."""
    from tfjs.formats.registry import all_formats  # noqa: PLC0415 - keeps --help fast

    if source.exists():
        for name in _INPUTS[given]:
            if name in all_formats() and all_formats()[name].sniff(source):
                return name
    return None if not source.exists() else _INPUTS[given][0]


def _target(source: Path, given: str, output: str) -> str:
    weights_only = _input_format(source, given) in ("h5-weights", "tfjs-weights")
    if weights_only:
        return "tfjs-weights" if output == "tfjs_layers_model" else "h5-weights"
    return _OUTPUTS[output]


def _rules(options: dict[str, Any]) -> Rules:
    rules: Rules = {}
    for name in _QUANTIZE:
        if options[name] is not None:
            add_rule(rules, name.removeprefix("quantize_"), options[name])
    if options["quantization_bytes"]:
        if rules:
            raise UsageError(
                "--quantization_bytes cannot be used with the new quantization flags"
            )
        click.echo(
            "warning: --quantization_bytes is deprecated, use --quantize_uint8 or "
            "--quantize_uint16",
            err=True,
        )
        add_rule(rules, {"1": "uint8", "2": "uint16"}[options["quantization_bytes"]], "")
    return rules


def _pairs(metadata: str | None) -> list[str]:
    """`key:path,key:path`; a comma inside a path is one that no `key:` follows."""
    return re.split(r",(?=[^,:]+:)", metadata) if metadata else []


def main() -> None:
    """Entry point of `tensorflowjs_converter`."""
    converter(explicit(sys.argv[1:]))

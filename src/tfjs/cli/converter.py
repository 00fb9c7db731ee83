"""`tensorflowjs_converter`: the official tool's flags, for scripts that use them.

What the flags mean is in `official_converter.md` 1a. Where the official tool is wrong this one
is not: paths may hold spaces, `--flag=False` means false, and a bare `--quantize_uint8` does not
swallow the path behind it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from tfjs import __version__
from tfjs.cli.errors import clean_up_on_sigterm, reported
from tfjs.cli.options import Rules, add_rule, parse_metadata, parse_names
from tfjs.cli.process import collect_seldom
from tfjs.errors import UnsupportedError, UsageError

_Command = TypeVar("_Command", bound=Callable[..., Any])

_INPUTS = {
    "keras": ("keras-h5", "keras", "h5-weights"),
    "keras_keras": ("keras", "keras-h5"),
    "keras_saved_model": ("keras-saved-model",),
    "tf_saved_model": ("saved-model",),
    "tf_frozen_model": ("frozen-graph",),
    "tf_hub": ("tf-hub", "saved-model"),
    "tfjs_layers_model": ("tfjs-layers", "tfjs-weights"),
}
_OUTPUTS = {
    "keras": "keras-h5",
    "keras_keras": "keras",
    "keras_saved_model": "saved-model",
    "tfjs_layers_model": "tfjs-layers",
    "tfjs_graph_model": "tfjs-graph",
}
_OF_TFJS = ("tfjs_layers_model", "tfjs_graph_model")
# The sources of graphs.
_GRAPHS = ("tf_saved_model", "tf_frozen_model", "tf_hub")
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
_BOOLEAN = re.compile("true|false|yes|no|on|off|t|f|y|n|1|0", re.IGNORECASE)
# What a flag stands for when it is given without a value.
_BARE = {
    **{f"--{name}": "*" for name in _QUANTIZE},
    **{f"--{name}": "True" for name in _BOOLEANS},
}


def explicit(arguments: Sequence[str]) -> list[str]:
    """Give every flag with an optional value its value, so that none takes the next word.

    A word right behind such a flag is its value only when there is one word more than there are
    paths, and, for a boolean, when it reads as one.
    """
    spare = len(list(_loose(arguments))) - 2
    result: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*result, word, *rest]
        if word in _BARE:
            if spare > 0 and rest and _may_be_value(word, rest[0]):
                spare -= 1
                result.append(f"{word}={rest.pop(0)}")
            else:
                result.append(f"{word}={_BARE[word]}")
            continue
        result.append(word)
        if word in _valued() and rest:
            result.append(rest.pop(0))
    return result


def _may_be_value(flag: str, word: str) -> bool:
    if word.startswith("-"):
        return False
    return _BARE[flag] == "*" or _BOOLEAN.fullmatch(word) is not None


def _loose(arguments: Sequence[str]) -> Iterator[str]:
    """The words that are no flags and belong to no flag that always takes a value."""
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            yield from rest
        elif word in _valued():
            next(rest, None)
        elif not word.startswith("-"):
            yield word


def _valued() -> set[str]:
    """The flags that always take a value."""
    options = [entry for entry in converter.params if isinstance(entry, click.Option)]
    names = {name for option in options if not option.is_flag for name in option.opts}
    return names - _BARE.keys()


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
    given = options["input_format"]
    output = options["output_format"] or _INFERRED[given]
    _check_pair(given, output, options)
    if output not in _OF_TFJS:
        options = _without_effect(options, output)
    reader = _input_format(Path(options["input_path"]), given)
    graph = _graph_options(options) if output == "tfjs_graph_model" else {}
    with progress_bar() as progress:
        report = convert(
            options["input_path"],
            options["output_path"],
            from_=reader,
            to=_target(reader, output),
            quantize=_rules(options),
            shard_size=options["weight_shard_size_bytes"] or 4 << 20,
            split_weights_by_layer=bool(options["split_weights_by_layer"]) and not graph,
            metadata=parse_metadata(_pairs(options["metadata"])),
            progress=progress,
            **graph,
        )
    click.echo(report_text(report))


def _check_pair(given: str, output: str, options: dict[str, Any]) -> None:
    made = ("tfjs_graph_model",) if given in _GRAPHS else _OF_TFJS
    if output not in (_OUTPUTS if given == "tfjs_layers_model" else made):
        raise UnsupportedError(
            f"Unsupported input_format - output_format pair: {given} - {output}",
            hint="Keras models become TF.js layers models or graph models, layers models any of "
            "Keras's; SavedModels, frozen graphs and hub modules become graph models; "
            f"--input_format names what the source is: {', '.join(_INPUTS)}",
        )
    size = options["weight_shard_size_bytes"]
    if size is not None and size < 1:
        raise UsageError(
            f"Expected weight_shard_size_bytes to be a positive integer, but got {size}"
        )
    if size is not None and output not in _OF_TFJS:
        raise UsageError(
            "The --weight_shard_size_bytes flag is only supported when output_format is "
            "tfjs_layers_model or tfjs_graph_model."
        )
    if given == "tf_frozen_model" and not options["output_node_names"]:
        raise UsageError('The --output_node_names flag is required for "tf_frozen_model"')
    if options["signature_name"] and given not in ("tf_saved_model", "tf_hub"):
        raise UsageError(
            "The --signature_name flag is applicable only to tf_saved_model and tf_hub"
        )
    if options["control_flow_v2"] and output != "tfjs_graph_model":
        raise UsageError("The --control_flow_v2 flag is applicable only to tfjs_graph_model")


def _graph_options(options: dict[str, Any]) -> dict[str, Any]:
    """The flags of graph models, by the names of `tfjs.convert`.

    Without a flag loops take the form that TF.js runs best; the official tool's v1 hangs there.
    """
    found: dict[str, Any] = {
        "skip_op_check": options["skip_op_check"],
        "strip_debug_ops": options["strip_debug_ops"],
        "structured_outputs": options["use_structured_outputs_names"],
        "control_flow": "v2" if options["control_flow_v2"] else "auto",
    }
    if options["input_format"] not in _GRAPHS:
        return found
    if options["input_format"] != "tf_frozen_model":
        found["signature"] = options["signature_name"] or None
        found["saved_model_tags"] = parse_names(options["saved_model_tags"])
    else:
        found["output_node_names"] = parse_names(options["output_node_names"]) or []
    return found


def _without_effect(options: dict[str, Any], output: str) -> dict[str, Any]:
    """Leave out what has no place in Keras's files; the official tool passes over it in silence."""
    names = [*_QUANTIZE, "quantization_bytes", "split_weights_by_layer", "metadata"]
    given = [name for name in names if options[name]]
    for name in given:
        click.echo(f"warning: --{name} has no effect on {output} output", err=True)
    return {**options, **dict.fromkeys(given)}


def _input_format(source: Path, given: str) -> str | None:
    """The format that the file really is, where it is one that the flag can mean."""
    from tfjs.formats.registry import all_formats  # noqa: PLC0415 - keeps --help fast

    if not os.path.isfile(source) and not os.path.isdir(source):
        return None  # which is told by whoever opens it
    names = _INPUTS[given]
    found = [entry for entry in all_formats().values() if entry.sniff(source)]
    fitting = next((name for name in names if any(entry.name == name for entry in found)), None)
    if fitting is None and found:
        flags = [flag for flag, formats in _INPUTS.items() if found[0].name in formats]
        raise UsageError(
            f"is a {found[0].title}, which --input_format={given} does not mean",
            where=str(source),
            hint=f"--input_format={flags[0]}" if flags else None,
        )
    return fitting or names[0]


def _target(reader: str | None, output: str) -> str:
    if reader in ("h5-weights", "tfjs-weights"):
        return "tfjs-weights" if output == "tfjs_layers_model" else "h5-weights"
    return _OUTPUTS[output]


def _rules(options: dict[str, Any]) -> Rules:
    rules: Rules = {}
    for name in _QUANTIZE:
        if options[name] == "":
            raise UsageError(f"--{name}= names no weights", hint=f"--{name} takes all of them")
        if options[name] is not None:
            add_rule(rules, name.removeprefix("quantize_"), options[name])
    if options["quantization_bytes"]:
        if rules:
            raise UsageError("--quantization_bytes cannot be used with the new quantization flags")
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
    clean_up_on_sigterm()
    collect_seldom()
    converter(explicit(sys.argv[1:]))

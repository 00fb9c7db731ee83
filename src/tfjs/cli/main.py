"""The `tfjs` command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfjs import __version__
from tfjs.cli.bench import bench
from tfjs.cli.errors import clean_up_on_sigterm, reported
from tfjs.cli.ops import ops
from tfjs.cli.options import parse_metadata, parse_names, parse_quantize, parse_size
from tfjs.cli.process import collect_seldom
from tfjs.cli.run import run
from tfjs.cli.verify import verify

_CONVERT_HELP = """Convert a model: SOURCE to DEST.

\b
SOURCE is a file or folder, recognised by its contents (or named with --from):
  keras              model.keras      Keras 3, tf.keras 2.12 to 2.15
  keras-h5           model.h5         Keras 1 to 3 in HDF5
  h5-weights         weights.h5       Keras weights without a model
  keras-json         model.json       model.to_json(), its weights beside it
  keras-saved-model  saved_model/     tf.keras in a SavedModel
  tfjs-layers        web_model/       TF.js layers model, or its model.json
  tfjs-weights       weights/         TF.js weights without a model
  saved-model        saved_model/     TensorFlow 1 or 2, Keras 3 exports
  frozen-graph       model.pb         frozen graph of TensorFlow 1
  tf-hub             module/          TF Hub: folder, .tar.gz or address
  tfjs-graph         web_model/       TF.js graph model
\b
DEST tells by its ending what to write (or --to does):
  web_model          a folder: TF.js layers model, graph model, or weights
  model.keras        Keras 3
  model.h5           Keras HDF5, for tf_keras and Keras 3, or weights
\b
Examples:
  tfjs convert model.keras web_model
  tfjs convert model.h5 web_model --quantize float16
  tfjs convert model.h5 web_model --quantize 'uint8=conv*,dense/kernel'
  tfjs convert web_model/model.json model.keras
  tfjs convert web_model web_model_8mb --shard-size 8MiB --dequantize
  tfjs convert saved_model web_model --signature serving_default

What TF.js cannot express is rewritten exactly where that is possible, and listed; otherwise
nothing is written, and every layer or operation that stands in the way is named.

Exit codes: 0 done, 2 wrong usage, 3 damaged or unknown input, 4 the target cannot express the
model, 5 the conversion failed, 6 the result answers something else than the source, 7 an optional
package is missing.
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="tfjs %(version)s")
def cli() -> None:
    """Carry models between Python and TensorFlow.js, without TensorFlow."""


class _Convert(click.Command):
    """A command whose bare `--verify` does not take the word behind it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        words = ["--verify=numpy" if word == "--verify" else word for word in args[:end]]
        return super().parse_args(ctx, words + args[end:])


@cli.command(
    cls=_Convert, help=_CONVERT_HELP, short_help="Convert a model from one format to another."
)
@click.argument("source", type=click.Path())
@click.argument("dest", type=click.Path())
@click.option("--from", "from_", metavar="FORMAT", help="Format of SOURCE. [default: recognised]")
@click.option("--to", metavar="FORMAT", help="Format of DEST. [default: from its ending]")
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights file of an architecture JSON. [default: found beside it]",
)
@click.option(
    "--quantize",
    "quantize",
    multiple=True,
    metavar="DTYPE[=PATTERNS]",
    help="Store weights as float16, uint8 or uint16: all, or those whose names match one of the "
    "comma-separated patterns (* ? [ab]). May be repeated.",
)
@click.option(
    "--dequantize", is_flag=True, help="Expand weights that SOURCE stores in fewer bytes."
)
@click.option(
    "--shard-size",
    default="4MiB",
    show_default=True,
    metavar="SIZE",
    help="Largest weight file: bytes, or with KB, MB, KiB, MiB.",
)
@click.option("--split-weights-by-layer", is_flag=True, help="One group of weight files a layer.")
@click.option(
    "--metadata",
    multiple=True,
    metavar="KEY:FILE",
    help="Add a JSON file to the model's userDefinedMetadata. May be repeated.",
)
@click.option(
    "--custom-layers",
    type=click.Choice(["refuse", "keep"]),
    default="refuse",
    show_default=True,
    help="Layers of classes that are not Keras's: keep them by name for a page that registers "
    "them, or refuse.",
)
@click.option(
    "--signature",
    metavar="NAME",
    help="Signature of a SavedModel; `all` writes one folder for each. [default: serving_default]",
)
@click.option(
    "--saved-model-tags",
    metavar="TAGS",
    help="Comma-separated tags of a SavedModel's metagraph; may be empty. [default: serve]",
)
@click.option(
    "--output-node-names",
    default="",
    metavar="NAMES",
    help="Comma-separated outputs of a frozen graph. [default: found]",
)
@click.option(
    "--control-flow",
    type=click.Choice(["auto", "v1", "v2"]),
    default="auto",
    show_default=True,
    help="How a graph model branches and loops: with Switch and Merge (v1), with functions (v2), "
    "or as TF.js runs it best.",
)
@click.option(
    "--skip-op-check",
    is_flag=True,
    help="Keep operations that TF.js lacks, for a page that registers them.",
)
@click.option(
    "--strip-debug-ops/--no-strip-debug-ops",
    default=True,
    show_default=True,
    help="Leave out operations that only print.",
)
@click.option(
    "--structured-outputs",
    is_flag=True,
    help="Let predict() of a graph model answer with an object by output name.",
)
@click.option(
    "--optimize/--no-optimize",
    default=True,
    show_default=True,
    help="Make a graph model one that TF.js runs faster.",
)
@click.option(
    "--numerics",
    type=click.Choice(["reassociating", "exact"]),
    default="reassociating",
    show_default=True,
    help="What the optimizer may do: compute the same sums in another order, as batch "
    "normalization within a convolution does, or only what is exact.",
)
@click.option(
    "--disable-pass",
    "disable_passes",
    multiple=True,
    metavar="ID",
    help="Leave out a pass or rule of the optimizer, such as fuse/bias. May be repeated.",
)
@click.option(
    "--dump-after",
    multiple=True,
    metavar="ID",
    help="Write the graph as text into DEST.ID.txt after a pass or rule. May be repeated.",
)
@click.option(
    "--check-passes",
    is_flag=True,
    help="Run the graph after each rule of the optimizer, and name the first that moves an answer.",
)
@click.option(
    "--verify",
    type=click.Choice(["numpy", "tfjs"]),
    default="numpy",
    metavar="[=tfjs]",
    help="Run SOURCE and the result on the same inputs, the default; what answers otherwise is not "
    "written. With =tfjs the result runs in the real TF.js, where Node has it.",
)
@click.option("--no-verify", is_flag=True, help="Leave that out.")
@click.option(
    "--max-error",
    type=float,
    metavar="X",
    help="Largest absolute difference of an output. [default: what rounding explains; any where "
    "weights are quantised]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def convert(as_json: bool, debug: bool, **options: Any) -> None:  # noqa: D103 - help is above
    with reported(debug=debug):
        from tfjs._convert import convert as made  # noqa: PLC0415 - keeps `tfjs --help` fast
        from tfjs.cli.render import progress_bar, report_text  # noqa: PLC0415

        source, dest = options.pop("source"), options.pop("dest")
        options["quantize"] = parse_quantize(options["quantize"])
        options["shard_size"] = parse_size(options["shard_size"])
        options["metadata"] = parse_metadata(options["metadata"])
        for name in ("saved_model_tags", "output_node_names"):
            options[name] = parse_names(options[name])
        if options.pop("no_verify"):
            options["verify"] = False
        elif options["verify"] == "numpy":
            options["verify"] = True
        if options["signature"] == "all":
            options["signatures"] = options.pop("signature")
        with progress_bar() as progress:
            found = made(source, dest, progress=progress, **options)
        for report in found if isinstance(found, list) else [found]:
            click.echo(report.to_json() if as_json else report_text(report))


cli.add_command(bench)
cli.add_command(ops)
cli.add_command(run)
cli.add_command(verify)


def main() -> None:
    """Entry point of `tfjs`."""
    clean_up_on_sigterm()
    collect_seldom()
    cli()

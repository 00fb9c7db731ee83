"""Measures what the optimizer gains: the official conversion, ours without and with it, in turns.

run.py is the command. Each model is converted in three ways. All three are loaded into one TF.js,
get the same inputs, must give the same answers, and run in turns, so that what else the machine
does meets all of them. That is done in several processes: where weights come to lie in memory
makes one and the same conversion up to a tenth slower or faster on wasm.
"""

from __future__ import annotations

import json
import math
import shutil
import statistics
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import envs
from optimizer_browser import in_browser

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "models"
BACKENDS = ("cpu", "wasm", "webgl")
OFFICIAL, PLAIN, OPTIMIZED = "official", "plain", "optimized"
# Of the largest number of an answer: float32 that is summed in another order.
CLOSE = 1e-3
# Runs that are longer are not timed: three conversions run at least three times.
MOST_SECONDS = {"cpu": 4.0, "wasm": 10.0, "webgl": 10.0}
ROUNDS = 200
PROCESSES = 3
# What the official tool calls the format of a file by its ending, or of a folder.
OFFICIAL_KINDS = {
    "": "tf_saved_model",
    ".keras": "keras_keras",
    ".pb": "tf_frozen_model",
    ".h5": "keras",
    ".hdf5": "keras",
    ".json": "tfjs_layers_model",
}
TIMEOUT = 1200.0


class Source(NamedTuple):
    """Where a model comes from.

    Attributes:
        path: below the folder of shared models; None for what make_optimizer_models.py makes. What
            is in TF.js's format is of the official tool.
        outputs: output nodes of a frozen graph.
        highest: the end of the range of values of an input of floating point.
    """

    path: str | None = None
    outputs: str = ""
    highest: float = 1.0


# Others among the shared models have a handful of nodes, operations on strings or layers of their
# own, or are one of these in another format.
MODELS = {
    "mobilenet_v1": Source(),
    "mobilenet_v2": Source(),
    "mobilenet_v3_small": Source(highest=255.0),
    "efficientnet_b0": Source(highest=255.0),
    "efficientnet_v2_b0": Source(highest=255.0),
    "resnet50": Source(),
    "resnet50_v2": Source(),
    "densenet121": Source(),
    "nasnet_mobile": Source(),
    "inception_v3": Source(),
    "convnext_tiny": Source(highest=255.0),
    "bert_encoder": Source(),
    "gpt_decoder": Source(),
    "unet": Source(),
    "lstm_classifier": Source(),
    "gru_classifier": Source(),
    "ssd_head": Source(),
    "mlperf_tiny_kws": Source("saved_model/mlperf_tiny_kws"),
    "basic_pitch_nmp": Source("saved_model/basic_pitch_nmp"),
    "sentiment_cnn_lstm": Source(
        "frozen_graph/keras_sentiment_cnn_lstm/bidirectional_lstm_softmax.pb",
        "output_node0",
    ),
    "tf2onnx_lstm": Source("frozen_graph/tf2onnx_lstm/frozen.pb", "output"),
    "mlperf_tiny_resnet": Source("keras_h5/mlperf_tiny_resnet/pretrainedResnet.h5"),
    "mlperf_tiny_str_ww": Source("keras_h5/mlperf_tiny_str_ww/str_ww_ref_model.h5"),
    "face_mini_xception": Source(
        "keras_h5/face_mini_xception_fer2013/fer2013_mini_XCEPTION.102-0.66.hdf5"
    ),
    "autocdascorer": Source("keras_v3/autocdascorer_model_39_0/model_39_0.keras"),
    "nsfwjs_mobilenet_v2": Source("tfjs_layers/nsfwjs_mobilenet_v2/model.json"),
    "blazeface": Source("tfjs_graph/human_blazeface/blazeface.json"),
    "iris": Source("tfjs_graph/human_iris/iris.json"),
    "handtrack": Source("tfjs_graph/human_handtrack/handtrack.json"),
    "style_transformer": Source("tfjs_graph/style_transformer_separable/model.json"),
    "move_lstm": Source("tfjs_graph/tfjs_move_lstm/model.json"),
}


@dataclass
class Conversions:
    """What a model became.

    Attributes:
        folders: by the way of its conversion.
        failures: the last words of a tool that could not convert it, by the same.
        nodes: operations that TF.js is given, by kind; without constants and inputs.
    """

    folders: dict[str, Path] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, Counter[str]] = field(default_factory=dict)


def sources(cache: Path, names: Sequence[str]) -> dict[str, Path]:
    """The file or folder of each model; what is not yet in the cache is made."""
    cache.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in names:
        path = MODELS[name].path
        if path is not None:
            if (SHARED / path).exists():
                found[name] = SHARED / path
            else:
                envs.say(f"{name} is left out: there is no {SHARED / path}")
            continue
        found[name] = cache / f"{name}_saved_model"
        if not found[name].exists():
            envs.say(f"making {name}")
            script = str(HERE / "make_optimizer_models.py")
            highest = str(MODELS[name].highest)
            envs.run_quietly([str(envs.test_python()), script, name, str(found[name]), highest])
    return found


def convert(name: str, source: Path, official: str | None, work: Path) -> Conversions:
    """Converts a model in every way."""
    outputs = MODELS[name].outputs
    tfjs = [str(envs.script(envs.test_python(), "tfjs")), "convert", "--no-verify"]
    tfjs += ["--to", "tfjs-graph"]
    tfjs += ["--output-node-names", outputs] if outputs else []
    kind = OFFICIAL_KINDS[source.suffix]
    theirs = [str(official), f"--input_format={kind}", "--output_format=tfjs_graph_model"]
    theirs += [f"--output_node_names={outputs}"] if outputs else []
    # The first is what the others are held against: the official one may be wrong.
    commands = {PLAIN: [*tfjs, "--no-optimize"], OPTIMIZED: tfjs}
    is_official = MODELS[name].path is not None and source.parents[1].name == "tfjs_graph"
    if official is not None and not is_official:
        commands[OFFICIAL] = theirs
    told = Conversions()
    for way, command in commands.items():
        folder = work / name / way
        # The official one is the same at every measuring, and takes half a minute.
        if way != OFFICIAL or not folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                envs.run_quietly([*command, str(source), str(folder)])
            except envs.SetupError as error:
                shutil.rmtree(folder, ignore_errors=True)
                told.failures[way] = str(error).splitlines()[-1]
                continue
        told.folders[way] = folder
        told.nodes[way] = nodes_of(folder)
    if is_official:
        folder = work / name / OFFICIAL
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source.parent, folder)
        shutil.copy(source, folder / "model.json")
        told.folders[OFFICIAL] = folder
        told.nodes[OFFICIAL] = nodes_of(folder)
    return told


def nodes_of(folder: Path) -> Counter[str]:
    """The operations of a graph model and of its functions, by kind."""
    topology = json.loads((folder / "model.json").read_text("utf-8"))["modelTopology"]
    nodes = list(topology["node"])
    for function in topology.get("library", {}).get("function", []):
        nodes += function.get("nodeDef", [])
    return Counter(node["op"] for node in nodes if node["op"] not in ("Const", "Placeholder"))


def measure(
    models: Mapping[str, Path], backend: str, source: Source, seconds: float
) -> dict[str, Any]:
    """What optimizer_turns.mjs tells of conversions, or `error`; the times of all processes."""
    told: dict[str, Any] = {}
    ways = list(models)
    for turn in range(PROCESSES):
        # Who is loaded first changes too; the answers of the first in the first process count.
        order = ways[turn % len(ways) :] + ways[: turn % len(ways)]
        found = _measured({way: models[way] for way in order}, backend, source, seconds / PROCESSES)
        if "error" in found:
            return found
        if not turn:
            told = found
            continue
        for way, again in found.items():
            if "error" in again:
                told[way] = again
            elif "error" not in told[way]:
                told[way]["times"] += again["times"]
                told[way]["work"] += again["work"]
    return told


def _measured(
    models: Mapping[str, Path], backend: str, source: Source, seconds: float
) -> dict[str, Any]:
    """What one process tells."""
    options = {
        "highest": source.highest,
        "seconds": seconds,
        "most": MOST_SECONDS[backend],
        "rounds": ROUNDS,
    }
    if backend == "webgl":
        return in_browser(models, options, TIMEOUT)
    job = {"models": {way: str(folder) for way, folder in models.items()}, **options}
    script = str(HERE / "optimizer_node.mjs")
    modules = str(envs.JS_FOLDER / "node_modules")
    try:
        done = subprocess.run(
            [envs.node_with_tfjs(), script, modules, backend, json.dumps(job)],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {TIMEOUT:g} s"}
    if done.returncode:
        return {"error": done.stderr.strip()[-500:]}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of all rounds."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def more_of(counts: Mapping[str, Mapping[str, int]]) -> str:
    """What the optimized conversion has more and less of than the official one, the most first."""
    change = Counter(counts.get(OPTIMIZED, {}))
    if OFFICIAL not in counts:
        return "there is no official one"
    change.subtract(counts[OFFICIAL])
    return " ".join(f"{kind}{n:+d}" for kind, n in change.most_common() if n) or "the same"


def rows(name: str, backend: str, conversions: Conversions, told: dict[str, Any]) -> Iterator[str]:
    """The lines of the table of one model in one backend; what failed is told instead."""
    reference = told.get(OFFICIAL, {}).get("times")
    for way in (OFFICIAL, PLAIN, OPTIMIZED):
        if way not in conversions.folders:
            continue
        found = told[way]
        line = f"{name:<20}{backend:<7}{way:<10}{conversions.nodes[way].total():>6}"
        if "error" in found:
            yield f"{line}  {found['error']}"
            continue
        line += f"{sum(found['kernels'].values()):>8}"
        times = found["times"]
        if times:
            line += f"{statistics.median(times) * 1e3:>10.2f}{min(times) * 1e3:>10.2f}"
        else:
            line += f"{'too long':>20}"
        if times and reference and way != OFFICIAL:
            line += f"{ratio(times, reference):>9.3f}{min(times) / min(reference):>9.3f}"
            work, theirs = found["work"], told[OFFICIAL]["work"]
            # A browser tells nothing of the processor.
            line += f"{sum(work) / sum(theirs):>9.3f}" if sum(theirs) else f"{'':>9}"
        else:
            line += f"{'':>27}"
        yield f"{line}{math.inf if found['difference'] is None else found['difference']:>10.1e}"


class Summary:
    """What is held against the aims: the ratio of each model, by backend and what it is to."""

    def __init__(self) -> None:
        self.ratios: dict[str, dict[str, dict[str, float]]] = {}
        self.failed: list[str] = []
        self.official_failed: list[str] = []

    def add(self, name: str, backend: str, told: dict[str, Any]) -> None:
        """Counts one model in one backend."""
        for way, found in told.items():
            # JSON has null for what is not finite.
            apart = found.get("difference")
            failed = self.official_failed if way == OFFICIAL else self.failed
            if "error" in found:
                failed.append(f"{name}, {backend}: {way} does not run")
            elif apart is None or apart > CLOSE:
                failed.append(f"{name}, {backend}: {way} answers otherwise")
        times = {way: found.get("times") for way, found in told.items()}
        for reference in (OFFICIAL, PLAIN):
            if times.get(reference) and times.get(OPTIMIZED):
                found = self.ratios.setdefault(backend, {}).setdefault(reference, {})
                found[name] = ratio(times[OPTIMIZED], times[reference])

    def print(self) -> None:
        """The medians, and what is slower than the official conversion."""
        for backend, found in self.ratios.items():
            theirs, plain = found.get(OFFICIAL, {}), found.get(PLAIN, {})
            told = {f"the official conversion's time over {len(theirs)} models": theirs}
            told[f"that, or of ours unoptimized where there is none, over {len(plain)} models"] = (
                plain | theirs
            )
            for what, ratios in told.items():
                if ratios:
                    print(f"{backend}: median {statistics.median(ratios.values()):.3f} of {what}")
            slower = [f"{name} {value:.3f}" for name, value in theirs.items() if value > 1]
            print(f"{backend}: slower than the official one: {', '.join(slower) or 'none'}")
        for line in self.official_failed + self.failed:
            print(line)


def run(
    cache: Path, names: Sequence[str], official: str | None, backends: Sequence[str], seconds: float
) -> int:
    """Measures and prints the table; 1 where a conversion of ours fails or answers otherwise."""
    # Theirs is looked for on the PATH by its name.
    official = shutil.which(official) if official else None
    summary = Summary()
    print(
        f"{'model':<20}{'backend':<7}{'way':<10}{'nodes':>6}{'kernels':>8}{'median ms':>10}"
        f"{'best ms':>10}{'x median':>9}{'x best':>9}{'x work':>9}{'apart':>10}",
        flush=True,
    )
    for name, source in sources(cache, names).items():
        conversions = convert(name, source, official, cache / "converted")
        for way, words in conversions.failures.items():
            print(f"{name:<27}{way:<10} does not convert: {words}")
            if way != OFFICIAL:
                summary.failed.append(f"{name}: {way} does not convert")
        for backend in backends:
            told = measure(conversions.folders, backend, MODELS[name], seconds)
            if "error" in told:
                print(f"{name:<20}{backend:<7}{told['error']}")
                summary.failed.append(f"{name}, {backend}: does not run")
                continue
            print("\n".join(rows(name, backend, conversions, told)))
            kernels = {way: found["kernels"] for way, found in told.items() if "kernels" in found}
            print(f"{'':<4}kernels: {more_of(kernels)}", flush=True)
            summary.add(name, backend, told)
        print(f"{'':<4}nodes: {more_of(conversions.nodes)}", flush=True)
    print(
        "\nx: to the official conversion; the median of the ratios of all rounds, of the best\n"
        "times, and of what the process used of the processor. apart: the largest difference of\n"
        "an answer to that of the first, of its largest number. nodes, kernels: what the\n"
        "optimized conversion has more and less of than the official one.\n"
    )
    summary.print()
    return 1 if summary.failed else 0

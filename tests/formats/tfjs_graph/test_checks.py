"""What TF.js would get wrong, hang on or refuse is never written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.drawing import Drawing, model_of
from tests.support.protocol import JsError
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import ConversionError, UnsupportedError
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph import checks
from tfjs.formats.tfjs_graph.checks import reached
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import FuncRef, GraphModel
from tfjs.ir.weights import WeightsOnly


def drawn(change: Callable[[Drawing], None]) -> GraphModel:
    """`y = x + k`, changed."""
    draw = Drawing()
    x = draw.feed("x", shape=(2,))
    draw.gives(y=draw.op("AddV2", "y", x, draw.constant("k", [1.0, 2.0]), T="float32"))
    model = model_of(draw.graph)
    change(draw)
    model.signature.outputs = list(draw.graph.output_names)
    return model


def rename(name: str) -> Callable[[Drawing], None]:
    return lambda draw: draw.graph.rename(draw.graph.nodes["k"], name)


def waits(draw: Drawing) -> None:
    draw.graph.nodes["y"].controls.append(draw.graph.nodes["k"])


def two_on_one_node(draw: Drawing) -> None:
    y = draw.graph.outputs[0]
    draw.gives(y=y, z=y)


def target(draw: Drawing) -> None:
    draw.graph.targets.append(draw.graph.nodes["k"])


def outputs(name: str) -> Callable[[Drawing], None]:
    def change(draw: Drawing) -> None:
        draw.gives(y=draw.graph.nodes[name].output)

    return change


def wide_constant(draw: Drawing) -> None:
    k = draw.constant("wide", np.array([1, 2], np.int64))
    cast = draw.op("Cast", "cast", k, SrcT="int32", DstT="float32")
    draw.gives(y=draw.op("AddV2", "z", draw.graph.outputs[0], cast, T="float32"))


def half_cast(draw: Drawing) -> None:
    cast = draw.op("Cast", "cast", draw.graph.outputs[0], SrcT="float32", DstT="float16")
    draw.gives(y=cast)


def no_value(draw: Drawing) -> None:
    del draw.graph.nodes["k"].attrs["value"]


def fed_input(draw: Drawing) -> None:
    draw.graph.set_inputs(draw.graph.nodes["x"], [draw.graph.nodes["k"].output])


def nothing(draw: Drawing) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (rename("a:0"), "cannot have a node of this name: it holds ':'"),
        (rename("^a"), "it starts with '\\^'"),
        (rename("12"), "it is a number"),
        (rename("toString"), "every JavaScript object has something of that name"),
        (waits, "waits for other nodes"),
        (two_on_one_node, "gives several outputs of the graph"),
        (target, "runs no nodes but for their outputs"),
        (outputs("x"), "is an output and an input"),
        (outputs("k"), "is an output and a constant"),
        (wide_constant, "TF.js has no dtype int64"),
        (half_cast, "TF.js has no dtype float16"),
        (no_value, "has no value"),
        (fed_input, "is an input and reads something"),
    ],
)
def test_what_is_refused(change: Callable[[Drawing], None], words: str, tmp_path: Path) -> None:
    write(drawn(nothing), tmp_path / "good", WriteOptions())
    with pytest.raises(ConversionError, match=words):
        write(drawn(change), tmp_path / "bad", WriteOptions())
    assert not (tmp_path / "bad").exists()


def test_operations_that_are_listed_but_do_not_run(tmp_path: Path) -> None:
    def bits(draw: Drawing) -> None:
        k = draw.constant("bits", [1, 2])
        both = draw.op("BitwiseAnd", "both", k, k, dtype="int32", T="int32")
        draw.gives(y=both)

    with pytest.raises(ConversionError, match=r"TF\.js has no operation BitwiseAnd") as caught:
        write(drawn(bits), tmp_path, WriteOptions())
    assert caught.value.where == "node 'both'"


def branching(change: Callable[[Drawing], None], main: str = "k") -> GraphModel:
    """An `If` whose branches double `a`, with a change of the first branch."""
    draw, branches = Drawing(), []
    for name in ("then", "else"):
        branch = Drawing(name)
        a = branch.feed("a", shape=(2,))
        two = branch.constant(f"{name}/two", [2.0, 2.0])
        branch.gives(b=branch.op("Mul", f"{name}/mul", a, two, T="float32"))
        branches.append(branch)
    change(branches[0])
    test, x = draw.feed("test", "bool", ()), draw.feed("x", shape=(2,))
    taken = draw.op(
        "StatelessIf",
        "if",
        test,
        draw.op("AddV2", "sum", x, draw.constant(main, [1.0, 1.0]), T="float32"),
        then_branch=FuncRef("then"),
        else_branch=FuncRef("else"),
        Tcond="bool",
        Tin=["float32"],
        Tout=["float32"],
    )
    draw.gives(y=draw.op("Identity", "y", taken, T="float32"))
    return model_of(draw.graph, *(branch.graph for branch in branches))


def starts_by_itself(draw: Drawing) -> None:
    one = draw.op("NoOp", "start")
    draw.gives(b=draw.op("AddV2", "then/add", draw.graph.outputs[0], one, T="float32"))


def table(draw: Drawing) -> None:
    size = draw.op("LookupTableSizeV2", "then/size", draw.graph.inputs[0].output, dtype="int32")
    draw.gives(b=draw.op("Cast", "then/cast", size, SrcT="int32", DstT="float32"))


def two_outputs(draw: Drawing) -> None:
    y = draw.graph.outputs[0]
    draw.gives(b=y, c=y)


@pytest.mark.parametrize(
    ("change", "words", "where"),
    [
        (starts_by_itself, "TF.js never starts such a node in a function", "node 'start'"),
        (table, "TF.js finds no tables from within a function", "node 'then/size'"),
        (two_outputs, "gives several outputs", "node 'then/mul'"),
    ],
)
def test_what_is_refused_in_a_function(
    change: Callable[[Drawing], None], words: str, where: str, tmp_path: Path
) -> None:
    write(branching(nothing), tmp_path / "good", WriteOptions())
    with pytest.raises(ConversionError, match=words) as caught:
        write(branching(change), tmp_path / "bad", WriteOptions())
    assert caught.value.where == f"{where} of the function 'then'"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("then/two", "two constants are named 'then/two'"),
        ("then/mul", "has the name of a constant, whose value TF.js would take"),
        ("y", "^node 'y': has the name of a constant"),
    ],
)
def test_names_are_looked_up_in_all_graphs(name: str, words: str, tmp_path: Path) -> None:
    model = branching(nothing, main="k")
    const = model.graph.nodes["k"]
    if name == "y":  # a constant of a function with the name of a node of the main graph
        function = model.functions["then"]
        function.rename(function.nodes["then/two"], name)
    else:
        model.graph.rename(const, name)
    with pytest.raises(ConversionError, match=words):
        write(model, tmp_path, WriteOptions())


def test_an_argument_may_have_the_name_of_a_constant(
    tmp_path: Path, tfjs_runtime: TfjsRuntime
) -> None:
    write(branching(nothing, main="a"), tmp_path, WriteOptions())
    answers = tfjs_runtime.predict_graph(
        tmp_path, [np.array(True), np.array([1, 2], np.float32)], method="predictAsync"
    )
    assert answers[0].tolist() == [4, 6]


def test_one_constant_may_stand_in_several_graphs(
    tmp_path: Path, tfjs_runtime: TfjsRuntime
) -> None:
    def change(draw: Drawing) -> None:
        graph = draw.graph
        graph.rename(graph.nodes["then/two"], "else/two")

    model = branching(change)
    shared = model.functions["else"].nodes["else/two"].attrs["value"]
    model.functions["then"].nodes["else/two"].attrs["value"] = shared
    write(model, tmp_path, WriteOptions())
    answers = tfjs_runtime.predict_graph(
        tmp_path, [np.array(True), np.array([1, 2], np.float32)], method="predictAsync"
    )
    assert answers[0].tolist() == [4, 6]


def test_keys(tmp_path: Path) -> None:
    for keys, words in (
        (["a", "b"], "names 2 outputs, the graph has 1"),
        ([], "names 0 outputs, the graph has 1"),
    ):
        model = drawn(nothing)
        model.signature.outputs = keys
        with pytest.raises(ConversionError, match=words):
            write(model, tmp_path, WriteOptions())
    model = drawn(nothing)
    model.signature.inputs = ["__proto__"]
    with pytest.raises(UnsupportedError, match="cannot have inputs called '__proto__'"):
        write(model, tmp_path, WriteOptions())


def test_a_function_that_is_missing() -> None:
    model = branching(nothing)
    assert [graph.name for graph in reached([model.graph], model.functions)] == ["else", "then"]
    with pytest.raises(ConversionError, match="the function 'else' is called, but is not there"):
        reached([model.graph], {})


def test_what_is_no_graph(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="the source is no graph"):
        write(WeightsOnly([]), tmp_path, WriteOptions())


# The facts behind the checks, seen in the real TF.js ---------------------------------------------


@pytest.mark.parametrize("name", ["toString", "constructor", "__proto__"])
def test_tfjs_takes_what_objects_inherit_for_weights(
    name: str, tmp_path: Path, tfjs_runtime: TfjsRuntime
) -> None:
    def change(draw: Drawing) -> None:
        inner = draw.op("Neg", "inner", draw.graph.outputs[0], T="float32")
        draw.gives(y=draw.op("Neg", "z", inner, T="float32"))

    write(drawn(change), tmp_path, WriteOptions())
    file = tmp_path / "model.json"
    x = np.array([1, 2], np.float32)
    assert tfjs_runtime.predict_graph(tmp_path, [x])[0].tolist() == [2, 4]
    file.write_text(file.read_text().replace('"inner"', f'"{name}"'))
    with pytest.raises(JsError):
        tfjs_runtime.predict_graph(tmp_path, [x])


def test_tfjs_does_not_find_an_output_that_is_an_input(
    tmp_path: Path, tfjs_runtime: TfjsRuntime
) -> None:
    model = drawn(nothing)
    model.signature.inputs = ["fed"]
    write(model, tmp_path, WriteOptions())
    file = tmp_path / "model.json"
    file.write_text(
        file.read_text().replace('"outputs":{"y":{"name":"y:0"', '"outputs":{"y":{"name":"x:0"')
    )
    with pytest.raises(JsError, match="The output 'fed' is not found in the graph"):
        tfjs_runtime.predict_graph(tmp_path, [np.array([1, 2], np.float32)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (starts_by_itself, "Consider providing the following inputs: .start"),
        (table, "reading 'getHashTableById'"),
    ],
)
def test_tfjs_runs_no_such_function(
    change: Callable[[Drawing], None],
    words: str,
    tmp_path: Path,
    tfjs_runtime: TfjsRuntime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "_check_body", lambda *_: None)
    write(branching(change), tmp_path, WriteOptions())
    call = [np.array(True), np.array([1, 2], np.float32)]
    with pytest.raises(JsError, match=words):
        tfjs_runtime.predict_graph(tmp_path, call, method="predictAsync")


def test_tfjs_mixes_up_constants_of_one_name(
    tmp_path: Path, tfjs_runtime: TfjsRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_check_weights", lambda _: None)
    model = branching(nothing)
    call = [np.array(True), np.array([1, 2], np.float32)]
    body = model.functions["then"]
    body.rename(body.nodes["then/two"], "k")  # which holds ones in the main graph
    write(model, tmp_path, WriteOptions())
    answers = tfjs_runtime.predict_graph(tmp_path, call, method="predictAsync")
    assert answers[0].tolist() == [2, 3]  # not [4, 6]

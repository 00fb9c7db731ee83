"""Decision forests: refused by name, or kept for a page that registers their operations.

TensorFlow Decision Forests cannot be installed beside this TensorFlow. A table stands in for the
forest: its operations are given the names, and the places in the graph, of those of a forest.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.saved_models import edit
from tests.support.tfjs_runtime import TfjsRuntime

_OPS = {
    "HashTableV2": "SimpleMLCreateModelResource",
    "LookupTableFindV2": "SimpleMLInferenceOpWithHandle",
    "InitializeTableFromTextFileV2": "SimpleMLLoadModelFromPathWithHandle",
}
# As tfjs-tfdf registers them: what loads the forest looks at no path.
_PAGE = """
let loaded = 0;
export default (tf) => {
  tf.registerOp('SimpleMLCreateModelResource', () => [tf.scalar(0)]);
  tf.registerOp('SimpleMLLoadModelFromPathWithHandle', () => {
    loaded += 1;
    return [tf.scalar(0)];
  });
  tf.registerOp('SimpleMLInferenceOpWithHandle', (node) => [tf.mul(node.inputs[1], loaded * 100)]);
};
"""


@pytest.fixture
def forest(tensorflow: ModuleType, tmp_path: Path) -> Path:
    """A SavedModel with the operations of a forest."""
    tf = tensorflow
    file = tmp_path / "done"
    file.write_text("1\n2\n")
    whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    start = tf.lookup.TextFileInitializer(str(file), tf.int64, whole, tf.int64, number)
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(start, -1)
    look = tf.function(
        lambda x: module.table.lookup(tf.cast(x, tf.int64)),
        input_signature=[tf.TensorSpec([3], tf.int32)],
    )
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=look)
    return edit(tmp_path / "saved", _as_forest)


def _as_forest(meta_graph: Any) -> None:
    library = meta_graph.graph_def.library.function
    nodes = [*meta_graph.graph_def.node, *(n for entry in library for n in entry.node_def)]
    for node in nodes:
        node.op = _OPS.get(node.op, node.op)
    for entry in meta_graph.meta_info_def.stripped_op_list.op:
        entry.name = _OPS.get(entry.name, entry.name)


def test_it_is_refused_by_name(forest: Path, tmp_path: Path) -> None:
    with pytest.raises(tfjs.UnsupportedError) as refusal:
        tfjs.convert(forest, tmp_path / "web")
    assert [line.partition(":")[0] for line in refusal.value.problems] == [
        *("2 × SimpleMLCreateModelResource", "SimpleMLInferenceOpWithHandle"),
        "SimpleMLLoadModelFromPathWithHandle",
    ]
    assert "tfjs-tfdf" in str(refusal.value)
    assert not (tmp_path / "web").exists()


def test_it_is_kept_with_its_files(forest: Path, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    report = tfjs.convert(forest, tmp_path / "web", skip_op_check=True)
    assert "assets.zip" in dict(report.files)
    with zipfile.ZipFile(tmp_path / "web" / "assets.zip") as archive:
        assert archive.namelist() == ["./done"]
        assert archive.read("./done") == b"1\n2\n"
    page = tmp_path / "page.mjs"
    page.write_text(_PAGE)
    fed = np.array([1, 2, 3], np.int32)
    run = tfjs_runtime.run_graph(tmp_path / "web", [fed], [fed], method="executeAsync", custom=page)
    for (found,) in run.calls:  # it is loaded once
        np.testing.assert_array_equal(found, fed * 100)

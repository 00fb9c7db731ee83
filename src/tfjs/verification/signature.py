"""A SavedModel of Keras says twice what it computes: by its layers, and by its signature's graph.

Layers are known by the names of their classes. A class of one's own that is called as one of
Keras's is taken for that, by Keras itself too; only the graph knows better.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfjs.ir.graph import GraphModel
from tfjs.ir.tensor import Array
from tfjs.runtime.prepare import runnable
from tfjs.verification.check import verify
from tfjs.verification.ports import places_of, reorder

# Of the largest number of an output. Float16, and TensorFlow's tables for bicubic resizing, are
# nearer; another function is not.
_FAR = 0.02


def told_otherwise(
    layers: GraphModel, signature: GraphModel, feeds: Mapping[str, Array]
) -> str | None:
    """What is to be said where a signature answers otherwise than the layers beside it.

    Args:
        layers: the layers as a graph, which is run as TensorFlow computes it.
        signature: the graph of the signature; changed.
        feeds: what the layers are fed, by the name of their input nodes.

    Returns:
        A note; None where both answer the same, or have other inputs or outputs.

    Raises:
        TfjsError: the signature does not run on what the layers are fed.
    """
    told, own = layers.signature, signature.signature
    for keys, others in ((told.inputs, own.inputs), (told.outputs, own.outputs)):
        if len(keys) != len(others) or (len(keys) > 1 and places_of(keys, others) is None):
            return None
    reorder(signature, told.inputs, told.outputs)
    found = verify(layers, runnable(signature), inputs=feeds, bound=np.inf, as_tfjs=False)
    wrong = next((entry for entry in found.outputs if not entry.ok or entry.relative > _FAR), None)
    if wrong is None:
        return None
    apart = wrong.problem or f"differs by {wrong.largest:.3g}"
    return (
        "the SavedModel's signature answers otherwise than its layers, of which this is made: it "
        "does more than they do, or a class of your own has the name of one of Keras's; "
        f"--from saved-model takes the signature (output {wrong.name!r} {apart})"
    )

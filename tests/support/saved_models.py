"""SavedModels of TF 1 and 2, written by TensorFlow for the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from tfjs.wire.protobuf import message_class

Tensors = Mapping[str, Any]


def save_v1(
    tf: ModuleType,
    folder: Path,
    build: Callable[[Any], tuple[Tensors, Tensors]],
    *,
    tags: tuple[str, ...] = ("serve",),
    as_text: bool = False,
    devices: int = 1,
    saver: Callable[[Any], Any] = lambda v1: None,
    prepare: Callable[[Any, Any], Any] = lambda v1, session: None,
    **options: Any,
) -> Path:
    """Save a graph of TF 1.

    Args:
        tf: TensorFlow.
        folder: where to.
        build: makes the graph; gives inputs and outputs of `serving_default`.
        tags: tags of the metagraph.
        as_text: whether to write `saved_model.pbtxt`.
        devices: number of processors that the session has.
        saver: makes the saver.
        prepare: called in the session after the variables are initialised; its answer, where it
            has one, is the initialising operation of the model.
        options: more for `add_meta_graph_and_variables`.
    """
    v1 = tf.compat.v1
    with v1.Graph().as_default():
        inputs, outputs = build(v1)
        config = v1.ConfigProto(device_count={"CPU": devices})
        with v1.Session(config=config) as session:
            session.run(v1.global_variables_initializer())
            main_op = prepare(v1, session)
            infos = [
                {key: v1.saved_model.build_tensor_info(tensor) for key, tensor in entries.items()}
                for entries in (inputs, outputs)
            ]
            signature = v1.saved_model.build_signature_def(*infos)
            builder = v1.saved_model.Builder(str(folder))
            builder.add_meta_graph_and_variables(
                session,
                list(tags),
                signature_def_map={"serving_default": signature},
                saver=saver(v1),
                main_op=main_op,
                **options,
            )
            builder.save(as_text=as_text)
    return folder


def edit(folder: Path, change: Callable[[Any], object]) -> Path:
    """Change the message in `saved_model.pb`, given its first metagraph."""
    return edit_file(folder, lambda message: change(message.meta_graphs[0]))


def edit_file(folder: Path, change: Callable[[Any], object]) -> Path:
    """Change the message in `saved_model.pb`; gives the folder."""
    file = folder / "saved_model.pb"
    message: Any = message_class("tensorflow.SavedModel")()
    message.ParseFromString(file.read_bytes())
    change(message)
    file.write_bytes(message.SerializeToString())
    return folder

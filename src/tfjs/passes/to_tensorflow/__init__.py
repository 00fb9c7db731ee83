"""From a graph as TF.js has it to one that TensorFlow takes."""

from tfjs.passes.to_tensorflow.pipeline import freeze_variables, to_tensorflow
from tfjs.passes.to_tensorflow.variables import store_constants

__all__ = ["freeze_variables", "store_constants", "to_tensorflow"]

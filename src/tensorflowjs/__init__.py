"""The import package of the official TensorFlow.js converter, on top of `tfjs`.

It is there for scripts that say `import tensorflowjs`: same modules, functions, arguments and
return values, without TensorFlow. Errors are those of `tfjs.errors`. New code has more from
`import tfjs`.
"""

from __future__ import annotations

from tensorflowjs import converters, quantization, read_weights, version, write_weights

__all__ = [
    "__version__",
    "converters",
    "quantization",
    "read_weights",
    "version",
    "write_weights",
]

__version__ = version.version

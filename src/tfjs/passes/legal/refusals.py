"""Operations that have no form in TF.js, with what to do instead."""

from __future__ import annotations

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()

_FEED_TENSORS = "choose a signature that takes tensors instead of serialized examples"
_FEED_PIXELS = "cut the model behind it and feed pixels: tf.browser.fromPixels decodes images"
_FEED_NUMBERS = "do this step in JavaScript, and feed the model with what comes of it"
_IN_JAVASCRIPT = "do this step in JavaScript before the model"
_NO_SEED = "export the model for inference, where nothing is random, or feed random numbers"

_REFUSED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "TF.js reads no serialized examples",
        _FEED_TENSORS,
        (
            "ParseExample",
            "ParseExampleV2",
            "ParseSingleExample",
            "ParseSequenceExample",
            "ParseSequenceExampleV2",
            "ParseSingleSequenceExample",
            "DecodeProtoV2",
        ),
    ),
    (
        "TF.js decodes no image files within a model",
        _FEED_PIXELS,
        (
            "DecodeJpeg",
            "DecodePng",
            "DecodeBmp",
            "DecodeGif",
            "DecodeImage",
            "DecodeWebP",
            "DecodeAndCropJpeg",
            "EncodeJpeg",
            "EncodePng",
        ),
    ),
    (
        "TF.js takes no bytes or texts apart within a model",
        _FEED_NUMBERS,
        (
            "DecodeRaw",
            "DecodePaddedRaw",
            "DecodeCSV",
            "DecodeBase64",
            "EncodeBase64",
            "DecodeWav",
            "ReadFile",
            "DecodeCompressed",
            "StringToNumber",
            "AsString",
        ),
    ),
    (
        "TF.js has no such work on texts",
        _IN_JAVASCRIPT,
        (
            "StringLower",
            "StringUpper",
            "StringJoin",
            "StringLength",
            "StringStrip",
            "Substr",
            "UnicodeDecode",
            "UnicodeDecodeWithOffsets",
            "UnicodeEncode",
            "UnicodeTranscode",
            "UnicodeScript",
            "RegexFullMatch",
            "StaticRegexFullMatch",
            "StringFormat",
            "ReduceJoin",
            "UnsortedSegmentJoin",
            "StringToHashBucket",
            "StringToHashBucketStrong",
            "TextLineReader",
        ),
    ),
    (
        "TF.js has no random numbers that follow from a seed as TensorFlow's do",
        _NO_SEED,
        (
            "StatelessRandomUniform",
            "StatelessRandomUniformV2",
            "StatelessRandomUniformInt",
            "StatelessRandomUniformIntV2",
            "StatelessRandomNormal",
            "StatelessRandomNormalV2",
            "StatelessTruncatedNormal",
            "StatelessTruncatedNormalV2",
            "StatelessMultinomial",
            "StatelessRandomUniformFullInt",
            "StatelessRandomUniformFullIntV2",
            "StatelessShuffle",
            "StatelessRandomGetKeyCounter",
            "StatelessRandomGetAlg",
            "StatelessRandomGetKeyCounterAlg",
            "RngReadAndSkip",
            "RngSkip",
            "StatelessRandomGammaV2",
            "StatefulUniform",
            "StatefulStandardNormalV2",
            "StatefulUniformInt",
            "StatelessRandomBinomial",
            "StatelessParameterizedTruncatedNormal",
        ),
    ),
    (
        "TF.js draws no such random numbers",
        _NO_SEED,
        (
            "RandomShuffle",
            "RandomGamma",
            "RandomPoisson",
            "RandomPoissonV2",
            "ParameterizedTruncatedNormal",
        ),
    ),
    (
        "TF.js has nothing that is as exact",
        "compute it outside of the model",
        (
            "Lgamma",
            "Digamma",
            "Polygamma",
            "Zeta",
            "Igamma",
            "Igammac",
            "Betainc",
            "Erfinv",
            "Ndtri",
            "BesselI0e",
            "BesselI1e",
        ),
    ),
    (
        "TF.js solves nothing within a model",
        "let it be computed from constants only",
        (
            "Cholesky",
            "MatrixInverse",
            "MatrixSolve",
            "MatrixTriangularSolve",
            "MatrixDeterminant",
            "LogMatrixDeterminant",
            "Qr",
            "Svd",
            "SelfAdjointEigV2",
            "Eig",
            "Lu",
            "MatrixSolveLs",
            "MatrixSquareRoot",
            "MatrixExponential",
            "MatrixLogarithm",
            "TridiagonalSolve",
            "BatchCholesky",
            "BatchMatrixDeterminant",
            "BatchMatrixInverse",
            "BatchMatrixSolve",
            "BatchMatrixSolveLs",
            "BatchMatrixTriangularSolve",
            "BatchSelfAdjointEig",
            "BatchSelfAdjointEigV2",
            "BatchSvd",
        ),
    ),
    (
        "TF.js computes in no quantised numbers",
        "export the model in float32",
        (
            "QuantizeV2",
            "Dequantize",
            "QuantizedConv2D",
            "QuantizedMatMul",
            "Requantize",
            "UniformQuantize",
            "UniformDequantize",
            "UniformQuantizedDot",
        ),
    ),
    (
        "TF.js cannot reach its ragged tensors from a graph",
        "use padded tensors with a mask",
        (
            "RaggedGather",
            "RaggedRange",
            "RaggedTensorToTensor",
            "RaggedTensorToVariant",
            "RaggedTensorFromVariant",
            "RaggedTensorToSparse",
        ),
    ),
    (
        "TF.js has tables that are filled once",
        "use a static table",
        (
            "MutableHashTable",
            "MutableHashTableV2",
            "LookupTableInsertV2",
            "MutableDenseHashTableV2",
            "LookupTableExportV2",
            "LookupTableRemoveV2",
        ),
    ),
    (
        "it holds a program of JAX's own compiler, not TensorFlow's operations",
        "convert the JAX model itself, or export it with native_serialization=False",
        (
            "XlaCallModule",
            "XlaLaunch",
            "XlaCustomCallV2",
        ),
    ),
    (
        "it calls Python",
        "write the step in TensorFlow's operations",
        (
            "PyFunc",
            "EagerPyFunc",
            "PyFuncStateless",
        ),
    ),
)
_BY_OP = {op: (reason, advice) for reason, advice, ops in _REFUSED for op in ops}


@RULES.rule(*_BY_OP)
def refused(node: Node, build: Builder) -> list[Value]:
    """Told with advice."""
    reason, advice = _BY_OP[node.op]
    raise CannotExpress(reason, advice)

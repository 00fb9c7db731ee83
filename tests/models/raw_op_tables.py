"""What `test_raw_ops.py` expects to be refused, or to differ, and why.

Each test that reads a table fails where an entry is no longer true.
"""

from __future__ import annotations

from typing import NamedTuple


class Differs(NamedTuple):
    """An answer of TF.js that is not TensorFlow's, and what tells the user.

    Attributes:
        backends: those that differ; with "?" behind it one that may be right by chance.
        why: what they do.
        note: what the report of the conversion says.
        docs: what `docs/formats.md` says, where the report says nothing: only numbers that hardly
            a model meets make the difference, and no graph tells whether it does.
    """

    backends: str
    why: str
    note: str = ""
    docs: str = ""


# Operations -> which inputs the pipeline wants as constants.
CONSTANT: dict[str, tuple[int, ...]] = {
    "BatchMatrixSolve": (0,),
    "BatchMatrixTriangularSolve": (0,),
    "CombinedNonMaxSuppression": (2, 3, 4, 5),
    "DynamicStitch": (0, 1),
    "FakeQuantWithMinMaxVars": (1, 2),
    "FakeQuantWithMinMaxVarsPerChannel": (1, 2),
    "LeftShift": (1,),
    "MatrixSolve": (0,),
    "MatrixTriangularSolve": (0,),
    "RegexReplace": (1, 2),
    "RightShift": (1,),
    "Roll": (1, 2),
    "StringSplitV2": (1,),
    "TensorScatterMax": (1,),
    "TensorScatterMin": (1,),
}

# Random numbers -> where they lie. What they are is nobody's promise.
RANDOM: dict[str, tuple[float, float]] = {
    "Multinomial": (0, 3),
    "RandomStandardNormal": (-9, 9),
    "RandomUniform": (0, 1),
    "RandomUniformInt": (0, 8),
    "TruncatedNormal": (-2, 2),
}

# What TF.js lists and TensorFlow does not have.
NOT_TENSORFLOW: dict[str, str] = {
    "Conv1D": "a name of TF.js's own; TensorFlow's one-dimensional convolution is a Conv2D",
    "DepthwiseConv2d": "the older name of DepthwiseConv2dNative, never in a GraphDef",
    "FusedDepthwiseConv2dNative": "made by the official converter; tests/formats/tfjs_graph",
    "Ones": "a name of TF.js's own",
    "Prelu": "a name of TF.js's own; Keras exports it as Relu, Neg and Mul",
    "SimpleMLCreateModelResource": "of decision forests; tests/models/test_decision_forests.py",
    "SimpleMLInferenceOpWithHandle": "the same",
    "SimpleMLLoadModelFromPathWithHandle": "the same",
    "Zeros": "a name of TF.js's own",
}

# Why -> operations of which nothing is converted.
REFUSED: dict[str, str] = {
    "TF.js has no such operation": "AudioSpectrogram BatchFFT3D BatchIFFT3D BlockLSTMV2 "
    "BroadcastGradientArgs CTCGreedyDecoder CTCLoss ConcatOffset ConjugateTranspose "
    "Conv2DBackpropFilter Conv3DBackpropFilter "
    "CumulativeLogsumexp DataFormatDimMap DataFormatVecPermute DeepCopy ExtractGlimpse "
    "ExtractVolumePatches FFT3D GRUBlockCell GuaranteeConst HistogramFixedWidth IFFT3D IRFFT2D "
    "IRFFT3D InplaceAdd InplaceSub InplaceUpdate LSTMBlockCell Mfcc NextAfter NthElement "
    "PopulationCount RFFT3D ResizeNearestNeighborGrad ScatterNdNonAliasingAdd "
    "SoftmaxCrossEntropyWithLogits SparseConcat SparseDenseCwiseMul SparseReorder "
    "SparseSegmentSqrtNWithNumSegments SparseSlice SparseSoftmax "
    "SparseSoftmaxCrossEntropyWithLogits SparseSplit SparseTensorDenseAdd "
    "SparseTensorDenseMatMul TensorStridedSliceUpdate UnravelIndex",
    "TF.js draws no such random numbers": "RandomGamma RandomPoissonV2 RandomShuffle",
    "TF.js has no random numbers that follow from a seed": "StatelessMultinomial "
    "StatelessRandomGetAlg StatelessRandomNormal StatelessRandomUniform "
    "StatelessRandomUniformInt StatelessTruncatedNormal",
    "TF.js has no numbers of dtype uint64": "StatelessRandomGetKeyCounter StatelessRandomUniformV2",
    "TF.js has nothing that is as exact": "Erfinv Lgamma Ndtri",
    "TF.js cannot look at the bits of numbers": "Bitcast",
    "TF.js solves nothing within a model": "BatchCholesky BatchMatrixDeterminant "
    "BatchMatrixInverse BatchMatrixSolveLs BatchSelfAdjointEigV2 BatchSvd Cholesky "
    "LogMatrixDeterminant Lu MatrixDeterminant MatrixInverse MatrixSolveLs MatrixSquareRoot Qr "
    "SelfAdjointEigV2 Svd TridiagonalSolve",
    "TF.js cannot reach its ragged tensors": "RaggedGather RaggedRange RaggedTensorToSparse "
    "RaggedTensorToTensor",
    "TF.js has no such work on texts": "ReduceJoin StaticRegexFullMatch StringFormat StringJoin "
    "StringLength StringLower StringStrip StringUpper Substr UnicodeDecode UnicodeTranscode "
    "UnsortedSegmentJoin",
    "TF.js takes no bytes or texts apart": "AsString DecodeRaw EncodeBase64 StringToNumber",
}

# Cases of operations that are otherwise converted -> why they are not.
REFUSED_CASES: dict[str, str] = {
    "Add-object-2x3,3": "no Add of texts",
    "Conv2D-int32-1x4x4x2,2x2x2x3": "no Conv2D of integers",
    "Cos-complex64-4": "no Cos of complex numbers",
    "DepthwiseConv2dNativeBackpropInput-int32-4,3x2x3x2,2x3x4x6": "several filters a channel",
    "Expm1-complex64-4": "no Expm1 of complex numbers",
    "IRFFT-complex64-2x3x4x4,1-#2": "its length 5",
    "IRFFT-complex64-2x3x4x4,1-#3": "its length 7",
    "LeftShift-int32-4,4": "by different numbers of bits",
    "ListDiff-object-3,1": "no ListDiff of texts",
    "Log-complex64-4": "no Log of complex numbers",
    **{
        f"MatrixSolve-complex64-2x3x3,2x3x2{label}": "solves nothing within a model"
        for label in ("", "-#2")
    },
    **{
        f"MatrixTriangularSolve-complex64-2x3x3,2x3x2-{label}": "solves nothing within a model"
        for label in ("FalseFalse", "FalseTrue", "TrueFalse", "TrueTrue")
    },
    "Mean-uint8-4x5,1": "wraps around",
    "Pow-complex64-3,3": "no Pow of complex numbers",
    "RightShift-int32-4,4": "by different numbers of bits",
    "RightShift-uint8-2,2": "by different numbers of bits",
    "Rsqrt-complex64-4": "no Rsqrt of complex numbers",
    "Sigmoid-complex64-4": "no Sigmoid of complex numbers",
    "Sign-complex64-4": "no Sign of complex numbers",
    "StringSplitV2-object-2,_": "at white space only",
    "TensorScatterMax-float32-4x2,3x1,3x2": "writes to a place twice",
    "TensorScatterMin-float32-4x2,3x1,3x2": "writes to a place twice",
    "TensorScatterUpdate-object-4,2x1,2": "no TensorScatterUpdate of texts",
    "UnsortedSegmentMax-uint8-3,3,_": "a bound of uint8",
    "UnsortedSegmentMin-uint8-3,3,_": "a bound of uint8",
    "UnsortedSegmentProd-uint8-3,3,_": "wraps around",
    "ZerosLike-object-3": "no ZerosLike of texts",
}

_SINGLE = Differs(
    "cpu wasm", "TF.js has no narrower floats", note="computed in float32, without being rounded"
)
_UNDEFINED = Differs(
    "cpu wasm",
    "TensorFlow does not define what a negative float is as an unsigned number",
    docs="negative floats as unsigned integers",
)
_FAR = Differs("wasm", "wasm's sines are inexact beyond 1e9", docs="sines beyond 1e9")
_LONG = Differs("cpu", "the last bits are lost", note="loses the last bits of products")

# Cases -> how TF.js differs, and where that is told.
DIFFERENT: dict[str, Differs] = {
    "Cast-float32-2": _SINGLE,
    "Cast-float32-2x3-uint16": _UNDEFINED,
    "Cast-float32-3": _SINGLE,
    "Cast-float32-5-#2": _SINGLE,
    "Cast-float64-2x3-uint16": _UNDEFINED,
    "Cos-float32-10-edges": _FAR,
    "CropAndResize-float32-2x6x5x3,4x4,4,2-nearest": Differs(
        "cpu",
        "the cpu backend reckons places half way between two pixels in double precision",
        note="the cpu backend may take the other pixel",
    ),
    "FloorMod-float32-10x1,10-edges": Differs(
        "cpu wasm",
        "TF.js makes NaN of a remainder by infinity where the signs differ",
        docs="remainders by infinity",
    ),
    "Mul-int32-4,4-big": _LONG,
    "Pow-float32-10x1,10-edges": Differs(
        "cpu", "in JavaScript 1 to the power of NaN is NaN", docs="1 to the power of NaN"
    ),
    "Pow-int32-4,4-wraps": Differs(
        "wasm",
        "powers beyond 2^31 do not wrap around",
        note="wasm does not let powers of integers beyond 2^31 wrap around",
    ),
    "Relu6-float32-10-edges": Differs("wasm", "NaN becomes 0", docs="`Relu6` of NaN"),
    "Sin-float32-10-edges": _FAR,
    "Square-int32-4-big": _LONG,
    "SquaredDifference-int32-4,4-big": _LONG,
    "TopKV2-float32-3,_-infinite": Differs(
        "cpu", "the cpu backend orders by differences", docs="`TopKV2` of infinities that are fed"
    ),
}

# Operations of which some cases are refused when no size is known -> why.
FREE_REFUSED: dict[str, str] = {
    "BatchMatrixDiag": "the length of the diagonal is unknown",
    "BatchMatrixDiagPart": "the size of its matrices is unknown",
    "BatchMatrixSetDiag": "the size of its matrices is unknown",
    "CombinedNonMaxSuppression": "is not known wholly",
    "Conv2DBackpropInput": "the size of its input or kernel is unknown",
    "Conv3DBackpropInput": "the size of its input or kernel is unknown",
    "Conv3DBackpropInputV2": "the size of its input or kernel is unknown",
    "DepthwiseConv2dNativeBackpropInput": "the size of its input or kernel is unknown",
    "Diag": "the length of the diagonal is unknown",
    "DiagPart": "its size is unknown",
    "Einsum": "it takes a diagonal of unknown size",
    "ExtractImagePatches": "the size of the images is unknown",
    "IRFFT": "is not what follows from its input",
    "ImageProjectiveTransformV2": "the first image of a batch only",
    "ImageProjectiveTransformV3": "the first image of a batch only",
    "MatrixDiag": "the length of the diagonal is unknown",
    "MatrixDiagPart": "the size of its matrices is unknown",
    "MatrixDiagPartV2": "the size of its matrices is unknown",
    "MatrixDiagPartV3": "the size of its matrices is unknown",
    "MatrixDiagV2": "the length of the diagonal is unknown",
    "MatrixDiagV3": "the length of the diagonal is unknown",
    "MatrixSetDiag": "the size of its matrices is unknown",
    "MatrixSetDiagV2": "the size of its matrices is unknown",
    "MatrixSetDiagV3": "the size of its matrices is unknown",
    "MaxPool": "its window covers channels or examples",
    "RFFT": "the length of what it transforms is unknown",
    "RFFT2D": "the length of what it transforms is unknown",
    "ResizeArea": "the size of the images is unknown",
    "ResizeBicubic": "the size of the images is unknown",
    "ScaleAndTranslate": "the size of the images is unknown",
    "Split": "the size of its parts is unknown",
}

_NONE = "TF.js answers otherwise where a reduction or product goes along an axis that turns out"
_NOTHING = Differs("cpu wasm?", "wasm reads beside what is empty; known sizes are rewritten", _NONE)
_NOTHING_ON_WASM = _NOTHING._replace(backends="wasm?")
_NO_SEGMENT = Differs("cpu wasm", "what is empty is spread wrongly, and TF.js throws", _NONE)
_GROUPS = Differs(
    "cpu wasm",
    "without the number of channels it is no grouped convolution",
    note="a convolution over an unknown number of channels is taken for one of a single group",
)
_APART = Differs("cpu wasm", "TF.js throws", note="TF.js throws where shapes do not go together")
_OVER = Differs(
    "wasm", "it would have to pad by less than nothing", note="wasm gives zeros for some sizes"
)
_NEGATIVE = Differs(
    "wasm", "its maximum starts a little above 0", note="wasm takes results below 0 for 0"
)

# Cases -> how TF.js differs when no size is known, and where that is told.
FREE_DIFFERENT: dict[str, Differs] = {
    "All-bool-0x3,1": _NOTHING,
    "Any-bool-0x3,1": _NOTHING_ON_WASM,
    **{
        f"Conv2D-float32-2x7x6x4,3x2x2x6-{padding}{steps}": _GROUPS
        for padding in ("VALID", "SAME")
        for steps in ("11", "21", "12", "31")
    },
    "Conv2D-float32-1x6x6x2,2x2x2x3-over": _OVER,
    "Conv2D-float32-1x7x6x2,2x1x2x3-over": _OVER,
    "Conv2D-float32-2x7x6x4,3x2x4x6-SAME31": _OVER,
    "DepthwiseConv2dNative-float32-1x6x6x2,2x2x2x2-over": _OVER,
    "Dilation2D-float32-1x4x4x2,2x2x2-negative": _NEGATIVE,
    "Dilation2D-float32-2x6x7x3,3x2x3-SAME11": _NEGATIVE,
    "Dilation2D-float32-2x6x7x3,3x2x3-SAME12": _NEGATIVE,
    "Dilation2D-float32-2x6x7x3,3x2x3-SAME21": _NEGATIVE,
    "Dilation2D-float32-2x6x7x3,3x2x3-VALID12": _NEGATIVE,
    "Equal-float32-2,3-apart": _APART,
    "EuclideanNorm-float32-0x3,1": _NOTHING_ON_WASM,
    "MatMul-float32-2x0,0x2": _NOTHING_ON_WASM,
    "Max-float16-0x3,1": _NOTHING,
    "Max-float32-2x0x3,1": _NOTHING,
    "Max-int32-2x0,1": _NOTHING,
    "MaxPoolWithArgmax-float32-2x4x4x2-ties": _NEGATIVE,
    "MaxPoolWithArgmax-float32-2x5x4x3-SAMEFalse": _NEGATIVE,
    "MaxPoolWithArgmax-float32-2x5x4x3-SAMETrue": _NEGATIVE,
    "MaxPoolWithArgmax-float32-2x5x4x3-VALIDTrue": _NEGATIVE,
    "Mean-float16-0x3,1": _NOTHING,
    "Min-float32-0x3,1": _NOTHING,
    "Min-float32-2x0x3,1": _NOTHING,
    "Min-int32-2x0,1": _NOTHING,
    "NotEqual-float32-2,3-apart": _APART,
    "Prod-float32-0x3,1": _NOTHING_ON_WASM,
    "Prod-float32-2x0x3,1": _NOTHING_ON_WASM,
    "SegmentMax-float32-0x2,0": _NO_SEGMENT,
    "SegmentMin-float32-0x2,0": _NO_SEGMENT,
    "SegmentProd-float32-0x2,0": _NO_SEGMENT,
    "Sum-float16-0x3,1": _NOTHING_ON_WASM,
    "Sum-float32-2x0x3,1": _NOTHING_ON_WASM,
    "Sum-int32-2x0,1": _NOTHING_ON_WASM,
}

# Dtypes -> operations that are refused for them, though not for floats.
NOT_OF: dict[str, str] = {
    "complex64": "Acos Acosh Asin Asinh Atan Atanh ClipByValue Cos Cosh Cumprod DivNoNan Expm1 Log "
    "Log1p MatrixSolve MatrixTriangularSolve Pow Prod Rsqrt SegmentProd SegmentProdV2 Sigmoid Sign "
    "Sin Sinh SparseFillEmptyRows Sqrt Tan Tanh UnsortedSegmentProd Xlog1py Xlogy",
    "int32": "Conv2D Conv2DBackpropInput Conv2DBackpropInputV2",
    "string": "Add MirrorPad Pad PadV2 ScatterNd SparseFillEmptyRows TensorScatterUpdate ZerosLike",
    "uint8": "Cumprod Mean Prod SegmentMaxV2 SegmentMinV2 SegmentProd SegmentProdV2 "
    "UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd",
}

# What TensorFlow's own kernel gets wrong.
UNSOUND: dict[tuple[str, str], str] = {("Round", "int32"): "gives zeros for any integers"}

"""What `test_raw_ops.py` expects to be refused, to differ, or to be tested elsewhere, and why.

Each test that reads a table fails where an entry is no longer true.
"""

from __future__ import annotations

# Operations -> which inputs the pipeline wants as constants.
CONSTANT: dict[str, tuple[int, ...]] = {
    "CombinedNonMaxSuppression": (2, 3, 4, 5),
    "DynamicStitch": (0, 1),
    "FakeQuantWithMinMaxVars": (1, 2),
    "FakeQuantWithMinMaxVarsPerChannel": (1, 2),
    "LeftShift": (1,),
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

# Where what has no numbers of its own is tested in TF.js -> the operations.
ELSEWHERE: dict[str, str] = {
    "tests/support/graph_roundtrip.py": "Const NoOp Placeholder",
    "tests/models/test_gotchas.py": "PlaceholderWithDefault Print",
    "tests/formats/tfjs_graph/test_write.py": "_FusedMatMul",
    "tests/passes/control/test_branches.py": "If StatelessIf",
    "tests/passes/control/test_loops.py": "While StatelessWhile",
    "tests/passes/control/test_v1_graphs.py": "Switch Merge Enter Exit NextIteration "
    "TensorArrayV3 TensorArrayReadV3 TensorArrayWriteV3 TensorArrayGatherV3 "
    "TensorArrayScatterV3 TensorArraySizeV3 TensorArrayCloseV3 TensorArrayConcatV3 "
    "TensorArraySplitV3",
    "tests/passes/control/test_lists.py": "EmptyTensorList TensorListReserve TensorListStack "
    "TensorListFromTensor TensorListGather TensorListGetItem TensorListSetItem "
    "TensorListLength TensorListPushBack TensorListPopBack TensorListConcat "
    "TensorListConcatV2 TensorListResize TensorListScatter TensorListScatterV2 TensorListSplit",
    "tests/passes/legal/test_strings.py": "HashTable HashTableV2 InitializeTable "
    "InitializeTableV2 LookupTableFind LookupTableFindV2 LookupTableImport "
    "LookupTableImportV2 LookupTableSize LookupTableSizeV2",
}

# Why -> operations of which nothing is converted.
REFUSED: dict[str, str] = {
    "TF.js has no such operation": "AudioSpectrogram BlockLSTMV2 BroadcastGradientArgs "
    "CTCGreedyDecoder CTCLoss ConcatOffset ConjugateTranspose Conv2DBackpropFilter "
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
    "TF.js solves nothing within a model": "Cholesky LogMatrixDeterminant Lu MatrixDeterminant "
    "MatrixInverse MatrixSolve MatrixSolveLs MatrixSquareRoot MatrixTriangularSolve Qr "
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

_INFINITE = "TF.js makes NaN of a remainder by infinity, or of one of infinity"
_UNDEFINED = "TensorFlow does not define what a negative float is as an unsigned number"
_SINGLE = "TF.js has no narrower floats: nothing is rounded to them"
_FAR = "wasm's sines are inexact beyond 1e9"

# Cases -> the backends that give other numbers, and why nothing is done about it.
DIFFERENT: dict[str, tuple[str, str]] = {
    "Cast-float32-2": ("cpu wasm", _SINGLE),
    "Cast-float32-2x3-uint16": ("cpu wasm", _UNDEFINED),
    "Cast-float32-3": ("cpu wasm", _SINGLE),
    "Cast-float32-5-#2": ("cpu wasm", _SINGLE),
    "Cast-float64-2x3-uint16": ("cpu wasm", _UNDEFINED),
    "Cos-float32-10-edges": ("wasm", _FAR),
    "CropAndResize-float32-2x6x5x3,4x4,4,2-nearest": (
        "cpu",
        "places half way between two pixels: the cpu backend reckons them in double precision",
    ),
    "FloorMod-float32-10x1,10-edges": ("cpu wasm", _INFINITE),
    "Mul-int32-4,4-big": ("cpu", "products beyond 2^53, which wrap around, lose their last bits"),
    "Pow-float32-10x1,10-edges": ("cpu", "in JavaScript 1 to the power of NaN is NaN"),
    "Pow-int32-4,4-wraps": ("wasm", "powers beyond 2^31 do not wrap around"),
    "Relu6-float32-10-edges": ("wasm", "NaN becomes 0"),
    "Sin-float32-10-edges": ("wasm", _FAR),
    "Square-int32-4-big": ("cpu", "as for Mul"),
    "SquaredDifference-int32-4,4-big": ("cpu", "as for Mul"),
    "TopKV2-float32-3,_-infinite": ("cpu", "the cpu backend orders by differences"),
}

# Operations of which some cases are refused when no size is known -> why.
FREE_REFUSED: dict[str, str] = {
    "CombinedNonMaxSuppression": "is not known wholly",
    "Conv2DBackpropInput": "the size of its input or kernel is unknown",
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

_NOTHING = "TF.js reads beside what is empty, or ends; known sizes are rewritten"
_BATCHES = "TF.js takes batches for alike, or for one; known sizes are rewritten"
_GROUPS = "without the number of channels it is no grouped convolution"
_APART = "shapes that do not go together are not seen"

# Cases -> why the cpu backend answers otherwise, or ends, when no size is known.
FREE_DIFFERENT: dict[str, str] = {
    "All-bool-0x3,1": _NOTHING,
    "BatchMatMulV2-float32-2x1x2x3,3x3x2": _BATCHES,
    "BatchMatMulV2-float32-2x3x2x3,2x1x3x2": _BATCHES,
    "BatchMatMulV2-float32-3x1x2x3,2x2x3": _BATCHES,
    "BatchMatMulV3-float32-2x1x2x3,3x3x2": _BATCHES,
    **{
        f"BatchMatMulV2-{dtype}-2x1x{x},5x{y}": _BATCHES
        for dtype in ("float32", "complex64")
        for x, y in [
            ("3x4", "4x2-FalseFalse"),
            ("3x4", "2x4-FalseTrue"),
            ("4x3", "4x2-TrueFalse"),
            ("4x3", "2x4-TrueTrue"),
        ]
    },
    **{
        f"Conv2D-float32-2x7x6x4,3x2x2x6-{padding}{steps}": _GROUPS
        for padding in ("VALID", "SAME")
        for steps in ("11", "21", "12", "31")
    },
    "Equal-float32-2,3-apart": _APART,
    "Max-float16-0x3,1": _NOTHING,
    "Max-float32-2x0x3,1": _NOTHING,
    "Max-int32-2x0,1": _NOTHING,
    "Mean-float16-0x3,1": _NOTHING,
    "Min-float32-0x3,1": _NOTHING,
    "Min-float32-2x0x3,1": _NOTHING,
    "Min-int32-2x0,1": _NOTHING,
    "NotEqual-float32-2,3-apart": _APART,
    "Reshape-float32-0x0x3,3": _NOTHING,
    "Reshape-float32-0x3,2-#3": _NOTHING,
    "Reshape-float32-4x0x3,3": _NOTHING,
    "SegmentMax-float32-0x2,0": _NOTHING,
    "SegmentMin-float32-0x2,0": _NOTHING,
    "SegmentProd-float32-0x2,0": _NOTHING,
    "StridedSlice-float32-4x3,2,2,2-end2": _NOTHING,
    "StridedSlice-float32-4x5x6,1,1,1-3:1": _NOTHING,
    "StridedSlice-float32-4x5x6,1,1,1-5:2": _NOTHING,
    "UniqueWithCounts-int32-0": _NOTHING,
}

# Dtypes -> operations that are refused for them, though not for floats.
NOT_OF: dict[str, str] = {
    "complex64": "Acos Acosh Asin Asinh Atan Atanh ClipByValue Cos Cosh Cumprod DivNoNan Expm1 Log "
    "Log1p Pow Prod Rsqrt SegmentProd Sigmoid Sign Sin Sinh SparseFillEmptyRows Sqrt Tan Tanh "
    "UnsortedSegmentProd Xlog1py Xlogy",
    "int32": "Conv2D Conv2DBackpropInput",
    "string": "Add MirrorPad Pad PadV2 ScatterNd SparseFillEmptyRows TensorScatterUpdate ZerosLike",
    "uint8": "Cumprod Mean Prod SegmentProd UnsortedSegmentMax UnsortedSegmentMin "
    "UnsortedSegmentProd",
}

# What TensorFlow's own kernel gets wrong.
UNSOUND: dict[tuple[str, str], str] = {("Round", "int32"): "gives zeros for any integers"}

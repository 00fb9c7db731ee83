"""The rules that make a graph of TensorFlow's one that TF.js runs, by subject."""

from __future__ import annotations

from tfjs.passes.legal import (
    arithmetic,
    bits,
    complexes,
    convolution,
    detection,
    einsum,
    empties,
    images,
    lists,
    matrices,
    moving,
    normalization,
    pooling,
    quantization,
    randoms,
    ranks,
    refusals,
    scattering,
    selecting,
    spectral,
    strings,
)
from tfjs.passes.rules import RuleSet

# Rules of one operation are tried in this order. Ranks come last: what is rewritten for its meaning
# is looked at again. Complex numbers come behind what has rules of its own for them.
RULES: tuple[RuleSet, ...] = (
    empties.RULES,
    arithmetic.RULES,
    bits.RULES,
    convolution.RULES,
    detection.RULES,
    einsum.RULES,
    images.RULES,
    lists.RULES,
    matrices.RULES,
    moving.RULES,
    normalization.RULES,
    pooling.RULES,
    quantization.RULES,
    randoms.RULES,
    scattering.RULES,
    selecting.RULES,
    spectral.RULES,
    strings.RULES,
    ranks.RULES,
    complexes.RULES,
    refusals.RULES,
)

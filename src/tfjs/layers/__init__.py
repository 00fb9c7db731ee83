"""Keras's vocabulary: one declaration a layer, the dialects, and what TF.js makes of each."""

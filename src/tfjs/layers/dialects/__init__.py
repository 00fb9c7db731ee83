"""Keras 2, Keras 3 and TF.js JSON: read into, and written from, the normalised model."""

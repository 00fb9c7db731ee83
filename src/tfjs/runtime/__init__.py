"""Runs graphs in Python with NumPy."""

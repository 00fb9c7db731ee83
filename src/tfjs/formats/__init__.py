"""Readers and writers, one package a format. No format imports another."""

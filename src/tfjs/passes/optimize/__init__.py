"""Making graphs that TF.js runs faster, without changing what they compute."""

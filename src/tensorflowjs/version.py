"""The release of the official `tensorflowjs` package whose interface this package offers."""

version = "4.22.0"

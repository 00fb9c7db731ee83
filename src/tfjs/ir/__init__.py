"""The representations that readers and writers meet in. Knows no file format."""

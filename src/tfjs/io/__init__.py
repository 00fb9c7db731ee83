"""Places and bytes: mapped files, safe paths, atomic output. Knows no model format."""

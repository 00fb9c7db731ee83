"""The commands: they parse, call the API, and render what comes back."""

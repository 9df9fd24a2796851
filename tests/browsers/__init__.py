"""The page in real browsers: Chromium, and Firefox for the main paths. `make test-browsers` runs it."""

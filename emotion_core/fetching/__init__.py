"""Published corpora -> a folder or bucket of yours: on what terms, and whole."""

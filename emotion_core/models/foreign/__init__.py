"""Other people's models as members of an ensemble: networks in ONNX, and classifiers of the hub."""

"""The scikit-learn face: thin named shortcuts over models, engines and fits."""

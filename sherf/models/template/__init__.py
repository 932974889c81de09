"""An avatar with no learned weights: a shell on the body that wears the photo. The baseline to beat."""

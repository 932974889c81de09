"""One photo (or video) of a person in, a `Subject` or a fitted motion out.

Here are the readers of photos and videos, person detection and landmarks (MediaPipe), the person's mask, the fit of
body and camera with its priors, constraints and scores, and `fit.json`, the file that carries a user's corrections.
"""

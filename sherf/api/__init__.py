"""The Python API: photo or avatar file in; frames, videos and rigged files out. Command line, batch and page use it.

`import sherf` offers its names lazily.
"""

"""Rendering: backends for CPU and CUDA, ray sampling, marching, compositing and ray casting.

Torch on the CPU is the definition (`torch_backend.py`); `devices.py` chooses what is fast on a device.
"""

"""Files: reading untrusted ones without executing anything, writing whole or not at all, locks, checksums, versions.

Readers bound what they allocate and refuse anything but plain data; `output` writes through a temporary file and
explains failures; `assets` verifies the files that ship with the package.
"""

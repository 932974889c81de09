"""Readers of motion files, recognised by content; all convert to SMPL's 24 joints, y up, in metres."""

"""Motions: the `Motion` type, reading and writing motion files, editing, retargeting to a subject and foot contacts.

`motion.py` holds the type; `read.py` and `readers/` read files, `motion_file.py` writes SHERF's own layout,
`from_video.py` estimates a motion from a video. `resample.py` and `edit.py` change motions; `playback.py`, `ground.py`,
`foot_contacts.py` and `leg_ik.py` fit them to a body. `builtin/` holds the motions that ship.
"""

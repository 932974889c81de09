"""Load the motion that a user names: a built-in one, a file, a video or a data set's subject; then edit it."""

import os
from pathlib import Path

from sherf.body.files import load_body_model
from sherf.datasets.open_data import required_body_model
from sherf.datasets.subject_folder import identify_data_set, read_subject_motion
from sherf.errors import BadInput
from sherf.files.output import prepare_output_folder
from sherf.motion.edit import edit_motion
from sherf.motion.from_video import obtain_motion_from_video
from sherf.motion.motion import Motion
from sherf.motion.options import MotionOptions
from sherf.motion.read import builtin_motions, read_motion
from sherf.motion.readers.recognise import is_motion_file
from sherf.photo.video_reader import is_video
from sherf.progress import print_status


def choose_motion(source: str, options: MotionOptions, folder: Path) -> Motion:
    """Load a motion, print what was recognised, and edit it.

    Args:
        source: a built-in motion's name, which takes precedence over files and folders of that name; a motion file
            (FILE.glb#CLIP selects one of its clips); a video of a person; or a data set's subject folder.
        options: how to edit it.
        folder: where the motion of a video is cached, as motion.npz.

    Returns:
        The edited motion, in motion space.

    Raises:
        BadInput: there is no such motion, it cannot be read, or an option is out of range.
        NoPerson: the video shows no person.
        OutputError: the motion of a video cannot be written.
    """
    if is_video_motion(source):
        cache_file = prepare_output_folder(folder) / "motion.npz"
        body = load_body_model("openbody")
        motion = obtain_motion_from_video(Path(source), cache_file, body, options.motion_person)
    else:
        motion = load_motion(source)
    return edit_motion(motion, options)


def load_motion(source: str) -> Motion:
    """Load a motion that is not a video, and print what was recognised.

    Args:
        source: a built-in motion's name, a motion file, or a data set's subject folder.

    Returns:
        The motion as it is, in motion space.

    Raises:
        BadInput: there is no such motion, or it cannot be read.
    """
    subject = find_subject_folder(source)
    motion = read_motion(source) if subject is None else _read_subject_motion(subject)
    if motion.source:
        print_status(f"{source}: {motion.source}")
    return motion


def is_video_motion(source: str) -> bool:
    """Return whether a motion is a video of a person, by the file's content, not its name."""
    if source in builtin_motions() or not os.path.isfile(source):
        return False
    return not is_motion_file(Path(source)) and is_video(Path(source))


def find_subject_folder(source: str) -> Path | None:
    """Return the data set's subject folder that a motion names; None for a file or the name of a built-in motion.

    Args:
        source: as for `choose_motion`.

    Returns:
        The folder, or None.

    Raises:
        BadInput: it is a folder, but not a data set's subject.
    """
    folder = Path(source)
    if source in builtin_motions() or not os.path.isdir(source):
        return None
    if identify_data_set(folder) is None:
        raise BadInput(
            f"the motion {source} is a folder, but not a subject of a data set: it holds neither annots.npy, "
            "cameras.json nor person.json.\nGive a motion file, a video, a subject's folder, or a built-in motion: "
            f"{', '.join(builtin_motions())}."
        )
    return folder


def _read_subject_motion(folder: Path) -> Motion:
    return read_subject_motion(folder, load_body_model(required_body_model(identify_data_set(folder))))

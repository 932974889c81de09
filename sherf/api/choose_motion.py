"""The motion that a user asks for: a built-in one, a file, or a video, cut and changed as the options say."""

import os
from pathlib import Path

from sherf.body.files import load_body_model
from sherf.errors import BadInput
from sherf.files.output import prepare_output_folder
from sherf.motion.edit import edited_motion
from sherf.motion.from_video import obtain_motion_of_video
from sherf.motion.motion import Motion, builtin_motions, read_motion
from sherf.motion.options import MotionOptions
from sherf.photo.video_reader import is_video
from sherf.progress import print_status


def chosen_motion(source: str, options: MotionOptions, folder: Path) -> Motion:
    """Read, report what was recognised, and change.

    Args:
        source: a built-in motion's name, which wins over files and folders called so, a motion file (FILE.glb#CLIP
            is one of its clips), a video of a person, or a data set's subject folder.
        folder: where a video's motion is kept, as motion.npz.

    Raises:
        BadInput: there is no such motion, or it cannot be read or changed so.
        NoPerson: the video shows nobody.
    """
    if is_filmed(source):
        kept = prepare_output_folder(folder) / "motion.npz"
        motion = obtain_motion_of_video(Path(source), kept, load_body_model("openbody"), options.motion_person)
    else:
        subject = subject_folder(source)
        motion = read_motion(source) if subject is None else _of_folder(subject)
        if motion.source:
            print_status(f"{source}: {motion.source}")
    return edited_motion(motion, options)


def is_filmed(source: str) -> bool:
    """Whether a motion is a video of a person, whose motion has to be found first; its name alone makes it none."""
    if source in builtin_motions() or not os.path.isfile(source):
        return False
    from sherf.motion.readers.recognise import is_motion_file

    return not is_motion_file(Path(source)) and is_video(Path(source))


def subject_folder(source: str) -> Path | None:
    """The folder that a motion is; None of a built-in one, whatever folder is called so, and of files.

    Raises:
        BadInput: the folder is no data set's subject.
    """
    from sherf.datasets.subject_folder import data_set_of

    folder = Path(source)
    if source in builtin_motions() or not os.path.isdir(source):
        return None
    if data_set_of(folder) is None:
        raise BadInput(
            f"the motion {source} is a folder, and no subject of a data set: it holds neither annots.npy, cameras.json "
            "nor person.json.\nGive a motion file, a video, a subject's folder, or a built-in motion: "
            f"{', '.join(builtin_motions())}."
        )
    return folder


def _of_folder(folder: Path) -> Motion:
    from sherf.datasets.open_data import body_model_of
    from sherf.datasets.subject_folder import data_set_of, motion_of_subject

    return motion_of_subject(folder, load_body_model(body_model_of(data_set_of(folder))))

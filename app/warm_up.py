"""What the first photo would wait for, done when the server starts."""

from contextlib import suppress

from sherf.app.sessions import EXAMPLES
from sherf.avatar.encoder import DEFAULT_BODY
from sherf.body.files import load_body_model
from sherf.errors import SherfError
from sherf.models.atlas import atlas_of
from sherf.models.config import SMALL
from sherf.photo.detect import detect_people
from sherf.photo.photo_reader import read_photo
from sherf.photo.smooth_basis import smooth_basis

PHOTO = "person_1.jpg"


def warm_up() -> None:
    """Import what starts slowly, compute what depends on the body alone, and load the detectors.

    What fails here fails again, with a message, when it is needed.
    """
    with suppress(SherfError, OSError):
        body = load_body_model(DEFAULT_BODY)
        smooth_basis(body)
        atlas_of(body, *SMALL.plane_size)
        detect_people(read_photo(EXAMPLES / PHOTO).image)

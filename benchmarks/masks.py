"""IoU of person masks with manually corrected ones: `python benchmarks/masks.py [PHOTO MASK ...]`.

Without arguments it uses an example photo. Masks are white on black and of the photo's size.
"""

import sys
from pathlib import Path

from sherf.photo.detect import choose_person, detect_people
from sherf.photo.mask import person_mask
from sherf.photo.photo_reader import read_mask, read_photo

ROOT = Path(__file__).parents[1]
SHIPPED = [ROOT / "examples" / "darknet_person.jpg", ROOT / "benchmarks" / "masks" / "darknet_person.png"]


def main() -> None:
    """Measure and print a row per photo."""
    paths = [Path(name) for name in sys.argv[1:]] or SHIPPED
    print("| photo | IoU | differing pixels | of |\n|---|---|---|---|")
    for path, by_hand in zip(paths[::2], paths[1::2], strict=True):
        photo = read_photo(path)
        found = person_mask(photo.image, photo.alpha, choose_person(detect_people(photo.image))) > 0.5
        wanted = read_mask(by_hand, photo.image.shape[1:]) > 0.5
        both, either = int((found & wanted).sum()), int((found | wanted).sum())
        print(f"| {path.name} | {both / either:.3f} | {either - both} | {int(wanted.sum())} |")


if __name__ == "__main__":
    main()

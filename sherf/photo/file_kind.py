"""Guesses at a file's kind from its first bytes, for error messages only."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "a JPEG"),
    (b"\x89PNG\r\n\x1a\n", "a PNG"),
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF or camera raw file"),
    (b"MM\0*", "a TIFF or camera raw file"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript file"),
    (b"8BPS", "a Photoshop document"),
    (b"PK\x03\x04", "a ZIP archive or Office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (b"\0\0\x01\0", "an icon"),
    (b"glTF", "a glTF 3D model"),
    (b"ID3", "an MP3 recording"),
)
_BRANDS = {
    b"heic": "a HEIC image (a phone's format: export it as JPEG)",
    b"heix": "a HEIC image (a phone's format: export it as JPEG)",
    b"mif1": "a HEIF image (export it as JPEG)",
    b"avif": "an AVIF image (export it as JPEG)",
}


def describe_content(data: bytes) -> str:
    """Return a noun phrase such as "a PDF document" for a file's content."""
    if data[:4] == b"RIFF":
        kinds = {b"WEBP": "a WebP", b"AVI ": "an AVI video", b"WAVE": "a WAV recording"}
        return kinds.get(data[8:12], "a RIFF file")
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "an MP4 or QuickTime video")
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    return _describe_text(data[:4096])


def _describe_text(head: bytes) -> str:
    """Describe text by its first tag; anything that is not UTF-8 is an unknown binary format."""
    if b"\0" in head:
        return "of an unknown binary format"
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < 4096 else "ignore").lstrip("\ufeff \t\r\n").lower()
    except UnicodeDecodeError:
        return "of an unknown binary format"
    if text.startswith(("<!doctype html", "<html")):
        return "a web page"
    if text.startswith("<") and "<svg" in text:
        return "an SVG drawing"
    return "text"

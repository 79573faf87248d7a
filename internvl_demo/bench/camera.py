"""Make photos as a phone takes them: 12 megapixels in a JPEG file of some megabytes, with EXIF or without."""

from io import BytesIO

from PIL import ExifTags, Image

SIZE_WH = (4032, 3024)
_QUALITY = 88
_APP = range(0xE0, 0xF0)


def camera_jpeg(with_exif: bool) -> bytes:
    """Return a photo's file; with EXIF it lies on its side and says where it was taken."""
    small = Image.merge("RGB", [Image.effect_noise((24, 18), spread) for spread in (90, 70, 110)])
    grain = Image.effect_noise(SIZE_WH, 12).convert("RGB")
    photo = Image.blend(small.resize(SIZE_WH, Image.Resampling.BICUBIC), grain, 0.3)
    exif = Image.Exif()
    if with_exif:
        exif[ExifTags.Base.Orientation] = 6
        exif[ExifTags.Base.Make] = "Bench"
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
        place[ExifTags.GPS.GPSLatitudeRef], place[ExifTags.GPS.GPSLatitude] = "N", (48.0, 51.0, 24.0)
        place[ExifTags.GPS.GPSLongitudeRef], place[ExifTags.GPS.GPSLongitude] = "E", (2.0, 21.0, 7.0)
    file = BytesIO()
    photo.save(file, "JPEG", quality=_QUALITY, exif=exif)
    return file.getvalue()


def numbered(jpeg: bytes, number: int) -> bytes:
    """Return the same photo as another file: a comment with the number behind its opening segments."""
    at = 2
    while jpeg[at] == 0xFF and jpeg[at + 1] in _APP:
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    comment = str(number).encode()
    return jpeg[:at] + b"\xff\xfe" + (2 + len(comment)).to_bytes(2, "big") + comment + jpeg[at:]

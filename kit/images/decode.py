"""Decoding: the bytes of a picture of any format as an RGB picture, as a person would see it."""

import io
import warnings
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

# of one picture, as Pillow bounds it: half a gigabyte once it is decoded; what says to have more is no honest picture
MOST_PIXELS = 178_956_970
ORIENTATION = 0x0112  # in EXIF data, and what turns a picture back by it
TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip


class PictureFault(Exception):
    """Why a picture cannot be read: "0 bytes", "no such file"."""


@lru_cache(maxsize=1)
def jpeg_decoder() -> str:
    """What decodes JPEG: simplejpeg where it is installed, the fastest in benchmarks/decoders.py, else Pillow.

    Both stand on libjpeg-turbo, but choose other scales, so pixels may differ a little.
    """
    return "simplejpeg" if find_spec("simplejpeg") else "Pillow"


def decode(data: bytes, smallest: tuple[int, int] | None = None) -> "Image":
    """A picture in RGB: turned as its EXIF data say, transparent pixels on white, 16 bits scaled to 8, the first frame.

    Args:
        data: its bytes, in any format that Pillow reads.
        smallest: width and height that it is scaled down to afterwards; a JPEG is then decoded at a smaller scale (of
            its DCT), of twice this at least.

    Raises:
        PictureFault: it is none, or has more than 178,956,970 pixels.
    """
    from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

    ImageFile.LOAD_TRUNCATED_IMAGES = True
    if not data:
        raise PictureFault("0 bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data))
            if picture.width * picture.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            if (whole := _fast(picture, data, smallest)) is not None:
                return whole
            if smallest:
                picture.draft("RGB", (2 * smallest[0], 2 * smallest[1]))
            picture.load()
            return _rgb(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:
        raise PictureFault("no picture") from None
    except Image.DecompressionBombError:
        raise PictureFault(f"more than {MOST_PIXELS:,} pixels") from None
    except Exception as error:  # decoders raise whatever a damaged part makes of it
        raise PictureFault(f"no whole picture ({type(error).__name__})") from None


def _fast(picture: "Image", data: bytes, smallest: tuple[int, int] | None) -> "Image | None":
    """A JPEG as simplejpeg decodes it; None where it cannot, or would not decode a damaged one to its end."""
    from PIL import Image

    if picture.format != "JPEG" or picture.mode not in ("RGB", "L") or jpeg_decoder() != "simplejpeg":
        return None
    import simplejpeg

    width, height = (2 * side for side in smallest) if smallest else (0, 0)
    try:
        pixels = simplejpeg.decode_jpeg(data, min_width=width, min_height=height, min_factor=2)
    except ValueError:
        return None
    turn = TURNS.get(picture.getexif().get(ORIENTATION, 1)) if "exif" in picture.info else None
    decoded = Image.fromarray(pixels)
    return decoded if turn is None else decoded.transpose(getattr(Image.Transpose, turn))


def _rgb(picture: "Image") -> "Image":
    from PIL import Image

    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        import numpy as np

        values = np.nan_to_num(np.asarray(picture, dtype=np.float64), posinf=np.inf, neginf=-np.inf)  # no value: black
        largest = values.max(initial=0, where=np.isfinite(values))
        if picture.mode.startswith("I;16") or largest > 255:
            values = values / 257  # 16 bits
        elif picture.mode == "F" and largest <= 1:
            values = values * 255
        picture = Image.fromarray(values.clip(0, 255).round().astype(np.uint8))
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")

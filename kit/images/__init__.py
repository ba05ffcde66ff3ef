"""Pictures: where they lie, how they are decoded, and all of them in one array of one size."""

from kit.images.decode import PictureFault, decode
from kit.images.pictures import PictureArray, StreamedPixels, pictures, streamed_pictures
from kit.images.resize import Resize
from kit.images.store import PictureFiles

__all__ = [
    "PictureArray",
    "PictureFault",
    "PictureFiles",
    "Resize",
    "StreamedPixels",
    "decode",
    "pictures",
    "streamed_pictures",
]

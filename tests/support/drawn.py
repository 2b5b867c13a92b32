"""Pictures of which there is no more than what says how large they are."""

import base64
import struct
from typing import Any


def png(width: int, height: int) -> bytes:
    """A PNG's first bytes."""
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height)
    )


EXIF = b"\xff\xe1" + struct.pack(">H", 60_000) + b"\0" * 59_998
PNG = png(1280, 800)
GIF = b"GIF89a" + struct.pack("<HH", 1280, 800)
JPEG = b"\xff\xd8" + EXIF + b"\xff\xc2" + struct.pack(">HBHH", 11, 8, 800, 1280)
PADDED = b"\xff\xd8\xff\xff" + EXIF + b"\xff\xff\xff\xc0" + struct.pack(">HBHH", 11, 8, 800, 1280)
LOSSY = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 1280, 800)
LOSSLESS = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 1279 | 799 << 14)
EXTENDED = b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0" + b"\xff\x04\0" + b"\x1f\x03\0"
ALL = (PNG, GIF, JPEG, PADDED, LOSSY, LOSSLESS, EXTENDED)


def coded(raw: bytes) -> str:
    """As base64."""
    return base64.b64encode(raw).decode()


def attached(raw: bytes, media_type: str = "image/png") -> dict[str, Any]:
    """As a block of the Messages API."""
    source = {"type": "base64", "media_type": media_type, "data": coded(raw)}
    return {"type": "document" if media_type == "application/pdf" else "image", "source": source}

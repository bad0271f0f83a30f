"""Detect truncated JPEG and PNG files without decoding them."""

PNG_SIGNATURE, PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND\xaeB`\x82'
JPEG_SIGNATURE, JPEG_SCAN, JPEG_END = b'\xff\xd8\xff', b'\xff\xda', b'\xff\xd9'


def is_cut_off(data: bytes) -> bool:
    """
    Return whether a file is empty, or a JPEG or PNG without its end marker.

    :param data: content of a file of any format. Only a JPEG or PNG counts as cut off.
    """
    return not data or (data.startswith((PNG_SIGNATURE, JPEG_SIGNATURE)) and not is_complete(data))


def is_complete(data: bytes) -> bool:
    """
    Return whether a JPEG or PNG has its end marker.

    OpenCV 4.6 decodes the beginning of a truncated file without an error.

    :param data: content of a JPEG or PNG file.
    """
    if data.startswith(PNG_SIGNATURE):
        return PNG_END in data
    # A scan always escapes 0xff, so this search always finds the last scan's start.
    return data.find(JPEG_END, data.rfind(JPEG_SCAN)) >= 0

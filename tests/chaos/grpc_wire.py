"""Reads gRPC messages off the bytes of a connection, without gRPC: HTTP/2 DATA frames and the outermost fields of
protocol buffers are all that a witness of a conversation needs."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEADER, MESSAGE_HEADER = 9, 5
DATA, RST_STREAM = 0, 3
END_STREAM, PADDED = 0x1, 0x8


class MessageReader:
    """One direction of one connection: bytes in, whole messages out."""

    def __init__(self):
        self._bytes = bytearray()
        self._begun = False
        self._streams = {}

    def feed(self, data):
        """The messages that `data` completes."""
        self._bytes += data
        if not self._begun:
            if len(self._bytes) < len(PREFACE) and PREFACE.startswith(bytes(self._bytes)):
                return []
            if self._bytes.startswith(PREFACE):
                del self._bytes[:len(PREFACE)]
            self._begun = True
        messages, at = [], 0
        while len(self._bytes) - at >= FRAME_HEADER:
            length = int.from_bytes(self._bytes[at:at + 3], "big")
            if len(self._bytes) - at < FRAME_HEADER + length:
                break
            kind, flags = self._bytes[at + 3], self._bytes[at + 4]
            stream = int.from_bytes(self._bytes[at + 5:at + 9], "big")
            if kind == DATA:
                payload = bytes(self._bytes[at + FRAME_HEADER:at + FRAME_HEADER + length])
                if flags & PADDED:
                    payload = payload[1:len(payload) - payload[0]]
                messages += self._of_stream(stream, payload)
            if kind == RST_STREAM or (kind == DATA and flags & END_STREAM):
                self._streams.pop(stream, None)
            at += FRAME_HEADER + length
        del self._bytes[:at]
        return messages

    def _of_stream(self, stream, payload):
        pending = self._streams.setdefault(stream, bytearray())
        pending += payload
        messages = []
        while len(pending) >= MESSAGE_HEADER:
            end = MESSAGE_HEADER + int.from_bytes(pending[1:MESSAGE_HEADER], "big")
            if len(pending) < end:
                break
            messages.append(bytes(pending[MESSAGE_HEADER:end]))
            del pending[:end]
        return messages


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """Field number -> its values in order: int, or bytes of what has a length. ValueError: this is no message."""
    found, at = {}, 0
    try:
        while at < len(data):
            tag, at = _varint(data, at)
            kind = tag & 7
            if kind == 0:
                value, at = _varint(data, at)
            elif kind == 1:
                value, at = data[at:at + 8], at + 8
            elif kind == 2:
                length, at = _varint(data, at)
                value, at = data[at:at + length], at + length
            elif kind == 5:
                value, at = data[at:at + 4], at + 4
            else:
                raise ValueError("wire type %d" % kind)
            if at > len(data) or tag < 8:
                raise ValueError("it ends early")
            found.setdefault(tag >> 3, []).append(value)
    except IndexError as error:
        raise ValueError("it ends early") from error
    return found

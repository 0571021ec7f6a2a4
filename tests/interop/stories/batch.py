"""Record batches (magic 2) built and read by hand, so that a test can lie in any field.

Decides nothing about which lie is refused. Compressors here only wrap (stored blocks, literals): enough to name a codec.
"""

import struct
import zlib

HEADER = struct.Struct(">qiibIhiqqqhii")
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def _table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    return table


_CRC = _table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def zigzag(n):
    n = (n << 1) ^ (n >> 63)
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def blob(data):
    return zigzag(-1) if data is None else zigzag(len(data)) + data


def record(offset_delta, key=None, value=b"v", headers=(), time_delta=0, attributes=0, tail=b"", length=None, header_count=None):
    body = bytes([attributes & 0xFF]) + zigzag(time_delta) + zigzag(offset_delta) + blob(key) + blob(value)
    body += zigzag(len(headers) if header_count is None else header_count)
    for name, content in headers:
        body += (zigzag(-1) if name is None else zigzag(len(name)) + name) + blob(content)
    body += tail
    return zigzag(len(body) if length is None else length) + body


def xxh32(data, seed=0):
    """Of fewer than 16 bytes: what an LZ4 frame header needs."""
    p2, p3, p4, p5 = 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1
    p1, mask = 0x9E3779B1, 0xFFFFFFFF
    rotate = lambda x, r: (x << r | x >> 32 - r) & mask
    assert len(data) < 16
    h = (seed + p5 + len(data)) & mask
    while len(data) >= 4:
        h = rotate(h + int.from_bytes(data[:4], "little") * p3 & mask, 17) * p4 & mask
        data = data[4:]
    for byte in data:
        h = rotate(h + byte * p5 & mask, 11) * p1 & mask
    h = (h ^ h >> 15) * p2 & mask
    h = (h ^ h >> 13) * p3 & mask
    return h ^ h >> 16


def wrap(codec, data):
    """`data` in the codec's own framing, uncompressed inside where the format allows."""
    if codec == "none":
        return data
    if codec == "gzip":
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        return packer.compress(data) + packer.flush()
    if codec == "snappy":  # raw: length, then literals of at most 60 bytes
        out, n = bytearray(), len(data)
        while n > 0x7F:
            out.append(n & 0x7F | 0x80)
            n >>= 7
        out.append(n)
        for at in range(0, len(data), 60):
            piece = data[at : at + 60]
            out += bytes([len(piece) - 1 << 2]) + piece
        return bytes(out)
    if codec == "xerial":  # snappy-java's stream: magic, two versions, blocks
        block = wrap("snappy", data)
        return b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, len(block)) + block
    if codec == "lz4":
        descriptor = bytes([0x60, 0x40])
        out = b"\x04\x22\x4d\x18" + descriptor + bytes([xxh32(descriptor) >> 8 & 0xFF])
        for at in range(0, len(data), 65536):
            piece = data[at : at + 65536]
            out += struct.pack("<I", 0x80000000 | len(piece)) + piece
        return out + struct.pack("<I", 0)
    if codec == "zstd":  # one window of 128 KiB, raw blocks
        out = b"\x28\xb5\x2f\xfd\x00\x38"
        pieces = [data[at : at + 65536] for at in range(0, len(data), 65536)] or [b""]
        for n, piece in enumerate(pieces):
            out += struct.pack("<I", len(piece) << 3 | (n == len(pieces) - 1))[:3] + piece
        return out
    raise ValueError(codec)


def build(records=None, codec="none", base=0, epoch=-1, magic=2, attributes=None, last_delta=None, first_time=None, max_time=None,
          producer=-1, producer_epoch=-1, sequence=-1, count=None, crc=None, length=None, body=None, flags=0, now=1_760_000_000_000):
    """A batch; every field that is not given is what an honest producer would write."""
    records = [record(0)] if records is None else records
    number = CODECS.index("snappy" if codec == "xerial" else codec)
    body = wrap(codec, b"".join(records)) if body is None else body
    tail = struct.pack(
        ">hiqqqhii",
        (number | flags) if attributes is None else attributes,
        len(records) - 1 if last_delta is None else last_delta,
        now if first_time is None else first_time,
        now if max_time is None else max_time,
        producer,
        producer_epoch,
        sequence,
        len(records) if count is None else count,
    ) + body
    checksum = crc32c(tail) if crc is None else crc
    size = len(tail) + 9 if length is None else length
    return struct.pack(">qiibI", base, size, epoch, magic, checksum) + tail


def old_set(magic):
    """One message of the formats before batches (magic 0 and 1)."""
    body = struct.pack(">bb", magic, 0) + (struct.pack(">q", 1) if magic else b"") + struct.pack(">i", -1) + struct.pack(">i", 1) + b"v"
    message = struct.pack(">I", zlib.crc32(body)) + body
    return struct.pack(">qi", 0, len(message)) + message


def headers_of(data):
    """The header of every whole batch, as dicts, in order."""
    at, out = 0, []
    while at + HEADER.size <= len(data):
        names = ("base", "length", "epoch", "magic", "crc", "attributes", "last_delta", "first_time", "max_time", "producer", "producer_epoch", "sequence", "count")
        header = dict(zip(names, HEADER.unpack_from(data, at)))
        if at + 12 + header["length"] > len(data):
            break
        header["codec"] = CODECS[header["attributes"] & 7]
        header["bytes"] = data[at : at + 12 + header["length"]]
        header["crc_ok"] = crc32c(header["bytes"][21:]) == header["crc"]
        out.append(header)
        at += 12 + header["length"]
    return out

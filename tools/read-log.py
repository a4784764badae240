#!/usr/bin/env python3
"""Reads a Sluice log by the text of DESIGN.md chapter 3 alone.

    tools/read-log.py DIR [--format text|jsonl] [--events]

A second reader of the format, sharing no line with the library, so that a mistake in one of them shows. For each
*.seg file in DIR: its identity, one line per frame, and one line per gap between frames; then the checkpoint slots.
It decides nothing about recovery: what is stale or torn, it prints as it stands. Small logs only (about 7 MB/s).

Lines of --format jsonl are JSON objects with a key "line": segment, frame, event, gap, checkpoint or error.
Exit codes: 0 read (whatever was found), 64 wrong arguments, 74 the directory or a file cannot be read.
"""

import hashlib
import json
import os
import re
import struct
import sys

USAGE = "usage: read-log.py DIR [--format text|jsonl] [--events]"
EX_USAGE, EX_IOERR = 64, 74

TYPES = {1: "snapshot", 2: "open", 3: "put", 4: "takeCommit", 5: "lease", 6: "drop", 7: "loss", 8: "deliveryCount",
         9: "bookmark", 10: "seal", 11: "close", 12: "mark", 13: "padding"}
PUT, TAKE_COMMIT, BOOKMARK, CLOSE, MARK, PADDING = 3, 4, 9, 11, 12, 13
MAX_FRAME, MAX_RAW, MAX_U64 = 134217728, 67108864, 2 ** 64 - 1

HEADER = struct.Struct("<4sBBBBIIIIIIQQQQQQQII")  # 96 bytes
IDENTITY = struct.Struct("<8sIIQQQQQQQQQQQIIQQII")  # 136 bytes, then openings, zeros and the checksum
OPENING = struct.Struct("<QQQQQQ")  # 48 bytes
CHECKPOINT = struct.Struct("<8sIIQQQQQQQII12sI")  # 96 bytes
TRANSACTION = struct.Struct("<IIQQQQHHI")  # 48 bytes


class Invalid(Exception):
    """Bytes that are not what was looked for."""


# ---- checksum and compression ----


def make_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = make_table()


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    table = CRC_TABLE
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def lz4_block(block, size):
    """The `size` bytes of an LZ4 block."""
    out = bytearray()
    at = 0

    def length(value, at):
        if value == 15:
            while True:
                if at >= len(block):
                    raise Invalid("LZ4: a length is cut off")
                more = block[at]
                at += 1
                value += more
                if more != 255:
                    break
        return value, at

    while True:
        if at >= len(block):
            raise Invalid("LZ4: the block ends without literals")
        token = block[at]
        literals, at = length(token >> 4, at + 1)
        if at + literals > len(block) or len(out) + literals > size:
            raise Invalid("LZ4: literals beyond the end")
        out += block[at:at + literals]
        at += literals
        if at == len(block):
            break
        if at + 2 > len(block):
            raise Invalid("LZ4: an offset is cut off")
        offset = block[at] | block[at + 1] << 8
        match, at = length(token & 15, at + 2)
        match += 4
        if offset == 0 or offset > len(out) or len(out) + match > size:
            raise Invalid("LZ4: a match outside of what is there")
        for _ in range(match // offset):
            out += out[-offset:]
        rest = match % offset
        if rest:
            out += out[-offset:len(out) - offset + rest]
    if len(out) != size:
        raise Invalid("LZ4: %d bytes instead of %d" % (len(out), size))
    return bytes(out)


def is_zero(data):
    return data.count(0) == len(data)


# ---- identity ----


def identity(data, offset):
    block = data[offset:offset + 4096]
    if len(block) < 4096:
        raise Invalid("too short")
    (magic, version, block_bytes, _, _, incompatible, high, low, number, salt, segment_bytes, time, predecessor,
     predecessor_salt, directory, kind, key_high, key_low, count, reserved) = IDENTITY.unpack_from(block)
    if magic != b"SLUICESG":
        raise Invalid("magic")
    if crc32c(block[:4092]) != struct.unpack_from("<I", block, 4092)[0]:
        raise Invalid("checksum")
    if version > 1 or incompatible:
        raise Invalid("newer version or unknown feature")
    if (version != 1 or block_bytes != 4096 or not number or not salt or segment_bytes % 4096
            or not 16384 <= segment_bytes <= 4294963200 or predecessor >= number
            or (predecessor == 0) != (predecessor_salt == 0) or kind not in (1, 2) or directory or key_high or key_low
            or reserved or not 1 <= count <= 64 or not is_zero(block[136 + 48 * count:4092])):
        raise Invalid("a field is out of its range")
    openings, before = [], 0
    for index in range(count):
        epoch, nonce, segment, position, sequence, opened = OPENING.unpack_from(block, 136 + 48 * index)
        if (not before < epoch <= 1 << 62 or not nonce or not segment or (segment, position) > (number, 8192)
                or position > 4294963200 or not 0 < sequence <= 1 << 62 or not segment <= opened <= number):
            raise Invalid("an opening is out of its range")
        openings.append({"epoch": epoch, "cut": "%x/%x" % (segment, position), "next_sequence": sequence,
                         "opened_in": "%x" % opened})
        before = epoch
    return {"log": "%016x%016x" % (high, low), "high": high, "low": low, "number": number, "salt": salt,
            "segment_bytes": segment_bytes, "creation_time": time, "predecessor": "%x" % predecessor,
            "kind": {1: "regular", 2: "reserve"}[kind], "openings": openings}


# ---- frames ----


def header(data, offset, ident):
    """The header at `offset`, all rules of 3.5 checked."""
    if len(data) - offset < 96:
        raise Invalid("too short")
    if data[offset:offset + 4] != b"SLF1":
        raise Invalid("magic")
    (_, kind, encoding, compression, flags, frame, stored, raw, events, transactions, payload_crc, base, time,
     durable_segment, durable_offset, durable_sequence, epoch, nonce, reserved,
     checksum) = HEADER.unpack_from(data, offset)
    place = struct.pack("<QQQQQ", ident["high"], ident["low"], ident["salt"], ident["number"], offset)
    if crc32c(data[offset:offset + 92], crc32c(place)) != checksum:
        raise Invalid("header checksum")
    gap = frame - 104 - stored
    ok = (kind in TYPES and encoding == 1 and compression in (0, 1) and flags == 0 and reserved == 0
          and frame % 8 == 0 and frame <= MAX_FRAME and 0 <= gap <= 111 and raw <= MAX_RAW
          and (stored == raw if compression == 0 else 1 <= stored < raw <= 255 * stored)
          and (events == 0 or kind == PUT)
          and ((transactions >= 1) == (kind in (PUT, TAKE_COMMIT, BOOKMARK)))
          and (kind not in (CLOSE, MARK) or stored == 0) and (kind != PADDING or compression == 0)
          and base != 0 and base + events <= MAX_U64 and epoch != 0 and nonce != 0
          and (durable_segment != 0) == (durable_sequence != 0) and (durable_segment != 0 or durable_offset == 0)
          and durable_sequence <= base and (durable_segment, durable_offset) <= (ident["number"], offset))
    if not ok:
        raise Invalid("a header field is out of its range")
    return {"type": TYPES[kind], "kind": kind, "compression": compression, "frame_bytes": frame, "stored_bytes": stored,
            "raw_bytes": raw, "event_count": events, "transaction_count": transactions, "payload_checksum": payload_crc,
            "base_sequence": base, "commit_time": time, "epoch": epoch, "nonce": "%016x" % nonce,
            "durable_through": "%x/%x" % (durable_segment, durable_offset), "durable_sequence": durable_sequence,
            "checksum": checksum}


def check_frame(data, offset, head):
    """What the header does not cover. Returns (payload checksum holds, whole frame valid, raw payload or None)."""
    end = offset + head["frame_bytes"]
    payload_end = offset + 96 + head["stored_bytes"]
    if end > len(data):
        return False, False, None
    stored = data[offset + 96:payload_end]
    payload_ok = crc32c(stored) == head["payload_checksum"]
    trailer = struct.unpack_from("<II", data, end - 8)
    valid = (payload_ok and is_zero(data[payload_end:end - 8]) and trailer == (head["frame_bytes"], head["checksum"])
             and (head["kind"] != PADDING or is_zero(stored)))
    if not payload_ok:
        return False, False, None
    try:
        return True, valid, stored if head["compression"] == 0 else lz4_block(stored, head["raw_bytes"])
    except Invalid:
        return True, valid, None


# ---- transactions and events ----


class Cursor:
    """Takes bytes from the front; never beyond the end."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise Invalid("cut off at byte %d" % self.at)
        self.at += count
        return self.data[self.at - count:self.at]

    def unpack(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def text(self, count):
        try:
            return self.take(count).decode("utf-8")
        except UnicodeDecodeError:
            raise Invalid("not UTF-8 before byte %d" % self.at) from None


def extension_block(cursor):
    (size,) = cursor.unpack("<I")
    block = Cursor(cursor.take(size))
    entries = []
    while block.at < size:
        tag, length = block.unpack("<HH")
        entries.append({"tag": tag, "value": block.take(length).hex()})
    return entries


def event(cursor):
    flags, zero, count, body_bytes = cursor.unpack("<BBHI")
    if flags > 1 or zero or count > 1024 or body_bytes > 16777216:
        raise Invalid("an event's field is out of its range before byte %d" % cursor.at)
    headers = []
    for _ in range(count):
        key_bytes, value_bytes = cursor.unpack("<BI")
        if not key_bytes or value_bytes > 65536:
            raise Invalid("a header's length is out of its range before byte %d" % cursor.at)
        headers.append([cursor.text(key_bytes), cursor.take(value_bytes).decode("utf-8", "backslashreplace")])
    extensions = extension_block(cursor) if flags else []
    body = cursor.take(body_bytes)
    return {"headers": headers, "extensions": extensions, "body_bytes": body_bytes,
            "body_sha256": hashlib.sha256(body).hexdigest(), "body": body.decode("utf-8", "backslashreplace")}


def put_events(raw, head):
    """Each event of a put frame's payload, with its sequence and transaction."""
    sequence = head["base_sequence"]
    at = 0
    for _ in range(head["transaction_count"]):
        if len(raw) - at < 48:
            raise Invalid("a transaction is cut off at byte %d" % at)
        size, count, ident, _, _, _, bookmarks, name_bytes, ranges = TRANSACTION.unpack_from(raw, at)
        if size % 8 or size < 48 or size > len(raw) - at or name_bytes or ranges or not count:
            raise Invalid("a transaction's field is out of its range at byte %d" % at)
        cursor = Cursor(raw[at + 48:at + size])
        for _ in range(bookmarks):
            name, zero, value = cursor.unpack("<BBI")
            if not name or zero or value > 65536:
                raise Invalid("a bookmark's field is out of its range")
            cursor.text(name)
            cursor.take(value)
        for _ in range(count):
            yield dict(event(cursor), sequence=sequence, transaction=ident)
            sequence += 1
        rest = cursor.take(len(cursor.data) - cursor.at)
        if len(rest) > 7 or not is_zero(rest):
            raise Invalid("a transaction does not end with its padding")
        at += size
    if at != len(raw) or sequence - head["base_sequence"] != head["event_count"]:
        raise Invalid("the counts of the header do not agree with the payload")


# ---- files ----


def read_segment(name, data, show_events):
    ident = None
    problems = []
    for offset in (0, 4096):
        try:
            found = identity(data, offset)
            ident = ident or found
            problems.append(None)
        except Invalid as error:
            problems.append(str(error))
    if ident is None:
        yield {"line": "error", "file": name, "what": "no valid identity block: %s; %s" % tuple(problems)}
        return
    segment = "%x" % ident["number"]
    yield {"line": "segment", "file": name, "segment": segment, "log": ident["log"], "kind": ident["kind"],
           "segment_bytes": ident["segment_bytes"], "file_bytes": len(data), "predecessor": ident["predecessor"],
           "creation_time": ident["creation_time"], "openings": ident["openings"],
           "copies": [problem or "valid" for problem in problems]}
    data = data[:ident["segment_bytes"]]
    at, gap_from = 8192, None
    while at < len(data):
        try:
            head = header(data, at, ident)
        except Invalid as error:
            if gap_from is None:
                gap_from, why = at, str(error)
            at = next_candidate(data, at)
            continue
        if gap_from is not None:
            yield gap(segment, data, gap_from, at, why)
            gap_from = None
        payload_ok, valid, raw = check_frame(data, at, head)
        line = {"line": "frame", "segment": segment, "offset": at}
        line.update((key, head[key]) for key in (
            "type", "compression", "frame_bytes", "stored_bytes", "raw_bytes", "event_count", "transaction_count",
            "base_sequence", "epoch", "nonce", "durable_through", "durable_sequence", "commit_time"))
        line.update(payload_ok=payload_ok, valid=valid,
                    raw_sha256=None if raw is None else hashlib.sha256(raw).hexdigest())
        yield line
        if show_events and head["kind"] == PUT and raw is not None:
            try:
                for found in put_events(raw, head):
                    yield dict(found, line="event", segment=segment, offset=at)
            except Invalid as error:
                yield {"line": "error", "file": name, "offset": at, "what": str(error)}
        at += head["frame_bytes"]
        if at > len(data):
            yield {"line": "error", "file": name, "offset": at - head["frame_bytes"],
                   "what": "the frame goes on behind the end of the file"}
    if gap_from is not None:
        yield gap(segment, data, gap_from, len(data), why)


def next_candidate(data, at):
    """The next multiple of 8 behind `at` where a header's magic stands, or the end."""
    while True:
        at = data.find(b"SLF1", at + 1)
        if at < 0:
            return len(data)
        if at % 8 == 0:
            return at


def gap(segment, data, start, end, why):
    return {"line": "gap", "segment": segment, "from": start, "to": end, "zero": is_zero(data[start:end]), "why": why}


def read_checkpoint(data):
    half = len(data) // 2
    if len(data) % 8192:
        yield {"line": "error", "file": "checkpoint", "what": "its size is not two multiples of 4096"}
    for index in (0, 1):
        try:
            yield dict(checkpoint_slot(data[index * half:(index + 1) * half], index), line="checkpoint", slot=index)
        except Invalid as error:
            yield {"line": "checkpoint", "slot": index, "valid": False, "why": str(error)}


def checkpoint_slot(data, index):
    if len(data) < 96:
        raise Invalid("too short")
    (magic, version, slot, high, low, generation, segment, offset, sequence, time, payload_bytes, payload_crc, reserved,
     checksum) = CHECKPOINT.unpack_from(data)
    if magic != b"SLUICECP":
        raise Invalid("magic")
    if crc32c(data[:92]) != checksum:
        raise Invalid("header checksum")
    if version > 1:
        raise Invalid("newer version")
    if (version != 1 or slot != index or not generation or not is_zero(reserved) or payload_bytes > len(data) - 96
            or (segment != 0) != (sequence != 0) or (segment == 0 and offset)):
        raise Invalid("a field is out of its range")
    payload = data[96:96 + payload_bytes]
    if crc32c(payload) != payload_crc:
        raise Invalid("payload checksum")
    found = snapshot(payload)
    if found["covered_key"] > (segment, offset) or found["covered_sequence"] > sequence:
        raise Invalid("covered is after durableThrough")
    del found["covered_key"]
    return dict(found, valid=True, log="%016x%016x" % (high, low), generation=generation, time=time,
                durable_through="%x/%x" % (segment, offset), durable_sequence=sequence)


def snapshot(payload):
    cursor = Cursor(payload)
    segment, offset, sequence, epoch, nonce, oldest, newest, count, client = cursor.unpack("<QQQQQQQII")
    if not 1 <= count <= 4096 or (epoch == 0) != (nonce == 0):
        raise Invalid("a field of the snapshot is out of its range")
    rows = []
    for _ in range(count):
        number, salt, base, end, size, kind, holds, reserved = cursor.unpack("<QQQQIBBH")
        if (not number or not salt or not base or kind not in (1, 2) or holds > 1 or reserved
                or not 16384 <= size <= 4294963200 or size % 4096 or (end and not 8192 <= end <= size)
                or (rows and number <= rows[-1]["key"])):
            raise Invalid("the segment table is out of its range")
        rows.append({"key": number, "segment": "%x" % number, "base_sequence": base, "end_offset": end,
                     "holds_events": bool(holds)})
    if (oldest, newest) != (rows[0]["key"], rows[-1]["key"]) or len(cursor.take(client)) != len(payload) - 64 - 40 * count:
        raise Invalid("the snapshot does not agree with itself")
    for row in rows:
        del row["key"]
    return {"covered_key": (segment, offset), "covered": "%x/%x" % (segment, offset), "covered_sequence": sequence,
            "epoch": epoch, "segments": rows, "client_bytes": client}


# ---- command line ----


def render(line, form):
    if form == "jsonl":
        return json.dumps(line)
    rest = {key: value for key, value in line.items() if key != "line"}
    return line["line"] + " " + " ".join("%s=%s" % (key, json.dumps(value)) for key, value in rest.items())


def arguments(argv):
    directory, form, show_events = None, "text", False
    words = iter(argv)
    for word in words:
        if word == "--events":
            show_events = True
        elif word == "--format":
            form = next(words, None)
        elif word.startswith("--format="):
            form = word[len("--format="):]
        elif word.startswith("-") or directory is not None:
            return None
        else:
            directory = word
    return None if directory is None or form not in ("text", "jsonl") else (directory, form, show_events)


def lines(directory, show_events):
    names = sorted(name for name in os.listdir(directory) if re.fullmatch(r"[0-9a-f]{16}\.seg", name))
    for name in names:
        with open(os.path.join(directory, name), "rb") as file:
            yield from read_segment(name, file.read(), show_events)
    path = os.path.join(directory, "checkpoint")
    if os.path.exists(path):
        with open(path, "rb") as file:
            yield from read_checkpoint(file.read())


def main(argv):
    parsed = arguments(argv)
    if parsed is None:
        print(USAGE, file=sys.stderr)
        return EX_USAGE
    directory, form, show_events = parsed
    try:
        for line in lines(directory, show_events):
            print(render(line, form))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print("read-log.py: %s" % error, file=sys.stderr)
        return EX_IOERR
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

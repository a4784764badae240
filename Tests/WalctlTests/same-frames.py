"""Holds what walctl inspect, verify and status say (JSON) against the lines of tools/read-log.py: the same frames, the same sums."""

import json
import sys

KEYS = ("type", "frame_bytes", "stored_bytes", "raw_bytes", "event_count", "transaction_count", "base_sequence", "epoch",
        "durable_through", "durable_sequence", "commit_time")
ours, theirs = {}, {}
sums = {}
for line in open(sys.argv[1]):
    record = json.loads(line)
    if record["record"] == "frame":
        ours[record["segment"], record["offset"]] = tuple(record[key] for key in KEYS)
    if record["record"] == "hole" and record["verdict"] in ("damaged", "torn"):
        sums[record["segment"], record["from_offset"]] = record["verdict"]
for line in open(sys.argv[2]):
    record = json.loads(line)
    if record["line"] == "frame" and record["valid"]:
        theirs[record["segment"], record["offset"]] = tuple(record[key] for key in KEYS)
    if record["line"] == "frame" and not record["valid"]:
        assert (record["segment"], record["offset"]) in sums, record
assert ours == theirs, (set(ours.items()) ^ set(theirs.items()))
verify = json.load(open(sys.argv[3]))
status = json.load(open(sys.argv[4]))
lines = [json.loads(line) for line in open(sys.argv[2])]
frames = [line for line in lines if line["line"] == "frame" and line["valid"]]
assert verify["summary"]["frames"] == len(frames), (verify["summary"], len(frames))
assert verify["summary"]["events"] == sum(frame["event_count"] for frame in frames)
dropped = sum(status["dropped_events"].values())
assert status["put_events"] == status["held_events"] + status["taken_events"] + dropped + status["lost_events"]
print(len(ours), "frames")

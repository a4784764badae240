import TestSupport
import Testing

/// The second reader of the format, which shares no line with the first, sees the same frames.
@Suite struct ReaderTests {
    /// Holds two lists of frames, as lines of JSON, against each other.
    private static let comparison = """
        import json, sys
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
        """.replacing(
            "KEYS",
            with: "(\"type\", \"frame_bytes\", \"stored_bytes\", \"raw_bytes\", \"event_count\", "
                + "\"transaction_count\", \"base_sequence\", \"epoch\", \"durable_through\", \"durable_sequence\", \"commit_time\")"
        )

    @Test(arguments: [KnownLog.intact, .torn, .damaged, .missing])
    func everyFrameAndEverySumIsTheSame(_ log: KnownLog) throws {
        try TestFiles.withDirectory { directory in
            let path = directory + "/log"
            try log.write(to: path)
            func keep(_ text: String, _ name: String) -> String {
                _ = TestFiles.write(Array(text.utf8), to: directory + "/" + name)
                return directory + "/" + name
            }
            let inspected = keep(Walctl(["inspect", path, "--format", "jsonl"], in: directory).output, "inspect")
            let verified = keep(Walctl(["verify", path, "--format", "json"], in: directory).output, "verify")
            let status = keep(Walctl(["status", path, "--format", "json"], in: directory).output, "status")
            let read = directory + "/read"
            let errors = directory + "/errors"
            #expect(
                Child.run(
                    ["python3", TestFiles.package + "/tools/read-log.py", path, "--format", "jsonl"], output: read,
                    errors: errors)
                    == 0)
            let script = keep(Self.comparison, "compare.py")
            let code = Child.run(
                ["python3", script, inspected, read, verified, status], output: directory + "/said", errors: errors)
            #expect(code == 0, "\(TestFiles.text(errors) ?? "")")
        }
    }
}

import Glibc
import TestSupport
import Testing

/// What is said about logs of which every byte is known, word by word. `SLUICE_UPDATE_GOLDEN=1` writes the files anew; then their
/// difference is to be read.
@Suite struct GoldenTests {
    private static let verbs = ["status", "inspect", "verify", "events", "checkpoint"]
    private static let formats = ["text", "json", "jsonl"]

    private static let cases: [(log: KnownLog, verb: String, format: String)] =
        KnownLog.allCases.flatMap { log in
            verbs.flatMap { verb in formats.map { (log, verb, $0) } }
        }.filter { log, verb, format in
            // What lists frames or events says the same in both forms of JSON: of damaged logs one is enough.
            format != "json" || log == .intact || !["inspect", "events"].contains(verb)
        }

    @Test(arguments: cases.indices) func everyAnswerIsAsItWas(_ index: Int) throws {
        let (log, verb, format) = Self.cases[index]
        try Self.hold([verb], about: log, format, "\(log.rawValue)-\(verb)")
    }

    /// A frame, a torn end, a damaged event, an event of a segment that is gone, an identity, a checkpoint slot.
    @Test(
        arguments: [
            (KnownLog.intact, "1/2300", "frame"), (.torn, "4/52b0", "end"), (.damaged, "90", "event"),
            (.missing, "90", "gone"),
            (.damaged, "4/0", "identity"), (.damaged, "checkpoint:0", "slot"),
        ], ["text", "json"])
    func everyExplanationIsAsItWas(_ place: (log: KnownLog, place: String, name: String), _ format: String) throws {
        try Self.hold(
            ["explain", place.place], about: place.log, format, "\(place.log.rawValue)-explain-\(place.name)")
    }

    /// Holds an answer against the file of that name.
    private static func hold(_ words: [String], about log: KnownLog, _ format: String, _ name: String) throws {
        try TestFiles.withDirectory { directory in
            let path = directory + "/log"
            try log.write(to: path)
            let result = Walctl([words[0], path] + words.dropFirst() + ["--format", format], in: directory)
            let said =
                "exit \(result.code ?? -1)\n" + steady(result.output, path)
                + (result.errors.isEmpty ? "" : "standard error:\n" + steady(result.errors, path))
            let file = "\(TestFiles.package)/Tests/WalctlTests/Golden/\(name).\(format)"
            if unsafe getenv("SLUICE_UPDATE_GOLDEN") != nil { _ = TestFiles.write(Array(said.utf8), to: file) }
            #expect(said == TestFiles.text(file), "\(file) is not what walctl says now")
        }
    }

    /// Without what differs from day to day and from disk to disk: how long ago, what files take, and when they were written.
    private static func steady(_ text: String, _ path: String) -> String {
        var text = text.replacing(path, with: "LOG")
        text = text.replacing(#/\d+(\.\d)? (d|h|min|s|ms|us)( \d+ (h|min|s))? ago/#, with: "AGO")
        text = text.replacing(
            #/"(allocated_bytes|used_bytes|segments_on_disk_bytes|spare_bytes|set_aside_bytes)": \d+/#
        ) {
            "\"\($0.output.1)\": N"
        }
        text = text.replacing(#/("epoch": \d+, "time": )\d+/#) { "\($0.output.1)T" }
        // A column is as wide as its widest age, which grows with the years.
        if text.contains("written  ") || text.contains("durable through") {
            text = text.replacing(#/ {2,}/#, with: "  ")
        }
        return text.replacing(#/space         .*/#, with: "space         ...")
    }
}

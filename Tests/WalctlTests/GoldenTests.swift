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
        try TestFiles.withDirectory { directory in
            let path = directory + "/log"
            try log.write(to: path)
            let result = Walctl([verb, path, "--format", format], in: directory)
            let said =
                "exit \(result.code ?? -1)\n" + Self.steady(result.output, path)
                + (result.errors.isEmpty ? "" : "standard error:\n" + Self.steady(result.errors, path))
            let file = "\(TestFiles.package)/Tests/WalctlTests/Golden/\(log.rawValue)-\(verb).\(format)"
            if unsafe getenv("SLUICE_UPDATE_GOLDEN") != nil { _ = TestFiles.write(Array(said.utf8), to: file) }
            let wanted = TestFiles.text(file)
            #expect(said == wanted, "\(file) is not what walctl says now")
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
        return text.replacing(#/space         .*/#, with: "space         ...")
    }
}

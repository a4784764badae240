import TestSupport
import Testing

/// The second reader of the format, which shares no line with the first, sees the same frames.
@Suite struct ReaderTests {
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
            let script = TestFiles.package + "/Tests/WalctlTests/same-frames.py"
            let code = Child.run(
                ["python3", script, inspected, read, verified, status], output: directory + "/said", errors: errors)
            #expect(code == 0, "\(TestFiles.text(errors) ?? "")")
        }
    }
}

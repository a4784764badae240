import Glibc
import TestSupport
import Testing

/// How `walctl` ends, and what it does with what is no log.
@Suite struct EndTests {
    private static func with(_ log: KnownLog?, _ body: (_ path: String, _ run: ([String]) -> Walctl) throws -> Void)
        throws
    {
        try TestFiles.withDirectory { directory in
            let path = directory + "/log"
            if let log { try log.write(to: path) } else { unsafe mkdir(path, 0o700) }
            try body(path) { Walctl($0, in: directory) }
        }
    }

    @Test func theWorstThatWasFoundIsTheExitStatus() throws {
        for (log, code) in [(KnownLog.intact, Int32(0)), (.torn, 2), (.damaged, 4), (.missing, 4), (.refused, 3)] {
            try Self.with(log) { path, run in
                #expect(run(["verify", path]).code == code, "\(log)")
            }
        }
    }

    @Test func otherVerbsEndWellWhenTheyHaveDelivered() throws {
        for log in KnownLog.allCases where log != .refused {
            try Self.with(log) { path, run in
                for verb in ["inspect", "events", "checkpoint"] {
                    let result = run([verb, path])
                    #expect(result.code == 0, "\(log) \(verb): \(result.errors)")
                }
            }
        }
    }

    @Test func everyVerbHelpsWithAnExample() throws {
        try Self.with(nil) { _, run in
            for verb in ["status", "inspect", "verify", "events", "checkpoint", "explain"] {
                let result = run([verb, "--help"])
                #expect(result.code == 0)
                #expect(result.output.contains("examples:\n  walctl \(verb) "), "\(result.output)")
            }
        }
    }

    @Test func wrongWordsAreNamed() throws {
        try Self.with(.intact) { path, run in
            for (words, named) in [
                (["look", path], "'look'"), (["inspect"], "needs DIR|SEGMENT"),
                (["inspect", path, "--since", "later"], "--since later"),
                (["inspect", path, "--type", "put,pot"], "--type pot"),
                (["inspect", path, "--segment", "0"], "--segment 0"),
                (["events", path, "--from", "9", "--to", "3"], "--from is behind --to"),
                (["events", path, "--grep", "["], "--grep ["),
                (["verify", path, "--deep"], "--deep"), (["explain", path, "here"], "here is no place"),
                (["explain", path, "9999"], "was never put"),
                (["explain", path, "ff/2000"], "segment ff is not there"),
                (["status", path, "--format", "xml"], "--format xml"),
            ] {
                let result = run(words)
                #expect(result.code == 64, "\(words)")
                #expect(result.errors.contains(named), "\(words): \(result.errors)")
                #expect(result.output.isEmpty)
            }
        }
    }

    @Test func whereThereIsNothingIsSaid() throws {
        try Self.with(nil) { path, run in
            let missing = run(["verify", path + "/not-there"])
            #expect(missing.code == 74)
            #expect(missing.errors.contains("not-there"))
            let empty = run(["status", path])
            #expect(empty.code == 78)
            #expect(empty.errors.contains("there is no channel in"))
        }
    }

    @Test func nothingIsChangedByLooking() throws {
        for log in KnownLog.allCases {
            try Self.with(log) { path, run in
                let before = TestFiles.names(in: path).map { TestFiles.read(path + "/" + $0) }
                unsafe chmod(path, 0o500)
                for verb in ["status", "inspect", "verify", "events", "checkpoint"] { _ = run([verb, path]) }
                unsafe chmod(path, 0o700)
                #expect(TestFiles.names(in: path).map { TestFiles.read(path + "/" + $0) } == before)
            }
        }
    }

    @Test func everyChannelBelowADirectoryHasItsLine() throws {
        try TestFiles.withDirectory { directory in
            let root = directory + "/root"
            unsafe mkdir(root, 0o700)
            unsafe mkdir(root + "/deep", 0o700)
            try KnownLog.intact.write(to: root + "/a")
            try KnownLog.missing.write(to: root + "/deep/b")
            unsafe symlink(root, root + "/deep/loop")
            let result = Walctl(["status", root], in: directory)
            #expect(result.code == 4)
            let lines = result.output.split(separator: "\n")
            #expect(lines.count == 3)
            #expect(lines[1].hasPrefix(root + "/a ") && lines[1].contains("clean"))
            #expect(lines[2].hasPrefix(root + "/deep/b ") && lines[2].contains("events lost"))
        }
    }

    @Test func aReaderThatGoesAwayEndsItQuietly() throws {
        try Self.with(.intact) { path, _ in
            let script =
                "'\(BuiltProgram.path("walctl"))' inspect '\(path)' '\(path)' '\(path)' --hex | head -n 1; echo ${PIPESTATUS[0]}"
            let (output, errors) = (path + ".output", path + ".errors")
            #expect(Child.run(["bash", "-c", script], output: output, errors: errors) == 0)
            #expect(TestFiles.text(output)?.hasSuffix("\n0\n") == true)
            #expect(TestFiles.text(errors) == "")
        }
    }
}

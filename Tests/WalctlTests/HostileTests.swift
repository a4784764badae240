import Glibc
import LogFormat
import TestSupport
import Testing

/// What is no log, or one that somebody has made to be trouble: a clear answer in a short time, in little memory.
@Suite struct HostileTests {
    private static let verbs = ["status", "inspect", "verify", "events", "checkpoint"]
    private static let segment = "0000000000000001.seg"

    /// Runs every verb with a gigabyte and a half of address space, and three minutes; none may trap, hang, or say nothing.
    private static func everyVerb(on path: String, in directory: String, _ comment: String) {
        for verb in verbs {
            let script = "ulimit -v 1500000; timeout 180 '\(BuiltProgram.path("walctl"))' \(verb) '\(path)'"
            let code = Child.run(
                ["bash", "-c", script], output: directory + "/said", errors: directory + "/complained")
            #expect([0, 2, 3, 4, 64, 74, 78].contains(code), "\(comment), \(verb): \(String(describing: code))")
            let said =
                (TestFiles.read(directory + "/said") ?? []).count
                + (TestFiles.read(directory + "/complained") ?? []).count
            #expect(said > 0 || verb == "events", "\(comment), \(verb)")
        }
    }

    private static func with(_ body: (_ log: String, _ directory: String) throws -> Void) rethrows {
        try TestFiles.withDirectory { directory in
            unsafe mkdir(directory + "/log", 0o700)
            try body(directory + "/log", directory)
        }
    }

    @Test func randomBytesUnderEveryNameAreNoLogAndAreSaidNotToBe() {
        var value: UInt64 = 3
        let noise = (0..<200_000).map { _ -> UInt8 in
            value = value &* 6_364_136_223_846_793_005 &+ 1
            return UInt8(value >> 56)
        }
        for size in [0, 1, 4095, 8192, 8193, 200_000] {
            Self.with { log, directory in
                for name in [
                    Self.segment, "checkpoint", "settings", "pid", "report-0000000000000001",
                    "aside-0000000000000001-2000",
                ] {
                    _ = TestFiles.write(Array(noise.prefix(size)), to: log + "/" + name)
                }
                Self.everyVerb(on: log, in: directory, "\(size) random bytes")
            }
        }
    }

    @Test func aSparseFileOfTerabytesIsNotReadThrough() throws {
        try Self.with { log, directory in
            try KnownLog.intact.write(to: directory + "/known")
            for name in TestFiles.names(in: directory + "/known") {
                _ = TestFiles.write(TestFiles.read(directory + "/known/" + name)!, to: log + "/" + name)
            }
            for name in [Self.segment, "checkpoint", "0000000000000099.seg", "report-0000000000000009"] {
                let descriptor = unsafe open(log + "/" + name, O_RDWR | O_CREAT, 0o600)
                // Where the file system has no room for such a length, a shorter one is as good.
                if ftruncate(descriptor, 8 << 40) != 0 { ftruncate(descriptor, 1 << 40) }
                close(descriptor)
            }
            Self.everyVerb(on: log, in: directory, "8 TiB")
        }
    }

    @Test func whatIsNoFileIsNotOpened() {
        Self.with { log, directory in
            unsafe mkfifo(log + "/" + Self.segment, 0o600)
            unsafe mkfifo(log + "/checkpoint", 0o600)
            unsafe mkdir(log + "/0000000000000002.seg", 0o700)
            unsafe symlink("0000000000000003.seg", log + "/0000000000000003.seg")
            unsafe symlink("/dev/zero", log + "/0000000000000004.seg")
            unsafe symlink("/dev/zero", log + "/settings")
            Self.everyVerb(on: log, in: directory, "no files")
            for name in TestFiles.names(in: log) {
                let result = Walctl(["inspect", log + "/" + name], in: directory)
                #expect([0, 74].contains(result.code), "\(name): \(String(describing: result.code)) \(result.errors)")
            }
        }
    }

    @Test func aNewerVersionIsSaidToBeOne() throws {
        try TestFiles.withDirectory { directory in
            let log = directory + "/log"
            try KnownLog.intact.write(to: log)
            // Version 2, with the checksum that belongs to it.
            for name in TestFiles.names(in: log) where name.hasSuffix(".seg") {
                var bytes = TestFiles.read(log + "/" + name)!
                for copy in 0..<2 {
                    bytes[copy * 4096 + 8] = 2
                    let block = Array(bytes[copy * 4096..<copy * 4096 + 4092])
                    let checksum = unsafe Checksum.crc32c(block.span.bytes)
                    for index in 0..<4 {
                        bytes[copy * 4096 + 4092 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index))
                    }
                }
                _ = TestFiles.write(bytes, to: log + "/" + name)
            }
            Self.everyVerb(on: log, in: directory, "version 2")
            let result = Walctl(["verify", log], in: directory)
            #expect(result.output.contains("written by a newer version"))
        }
    }

    @Test func aDirectoryOfVeryManyFilesIsListed() {
        Self.with { log, directory in
            for index in 0..<TestDepth.pick(sample: 1_000, part: 5_000, whole: 100_000) {
                let digits = String(index + 1, radix: 16)
                let name =
                    String(repeating: "0", count: 16 - digits.count) + digits + (index % 2 == 0 ? ".seg" : ".other")
                close(unsafe open(log + "/" + name, O_WRONLY | O_CREAT, 0o600))
            }
            Self.everyVerb(on: log, in: directory, "many files")
        }
    }

    @Test func bytesOfEventsDoNothingToATerminal() throws {
        try TestFiles.withDirectory { directory in
            let log = directory + "/log"
            try KnownLog.intact.write(to: log)
            let shown = Walctl(["events", log, "--from", "97"], in: directory)
            #expect(shown.output.contains(#"\x00\x1b[31m\xfe\n"#))
            #expect(shown.output.utf8.allSatisfy { $0 >= 0x20 || $0 == 0x0A })
            let raw = Walctl(["events", log, "--from", "97", "--body", "base64"], in: directory)
            #expect(raw.output.contains("ABtbMzFt/go="))
        }
    }
}

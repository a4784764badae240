import LogFormat

import FileIO
import Glibc

/// Where the figures come from: without it they say nothing.
struct Machine {
    static let cpus = sysconf(Int32(_SC_NPROCESSORS_ONLN))

    /// User and system time of this process so far.
    static var processorNanoseconds: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// What of this process is in memory.
    static var residentBytes: UInt64 {
        let pages = text(ofFile: "/proc/self/statm")?.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }
        return (pages ?? 0) * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }

    private let processor: String
    private let kernel: String
    private let fileSystemName: String
    private let blockBytes: Int
    /// The machine's load when the run ended: what else ran.
    private let load: String

    init(_ workplace: Workplace) {
        processor = Self.processorName ?? "unknown processor"
        kernel = Self.kernelRelease
        fileSystemName = workplace.volume.fileSystemName
        blockBytes = workplace.volume.logicalBlockBytes
        load = text(ofFile: "/proc/loadavg").map { String($0.prefix { $0 != " " }) } ?? "?"
    }

    var line: String {
        "\(Self.cpus) cpus (\(processor)), Linux \(kernel), \(fileSystemName), device blocks of \(blockBytes) B, "
            + "load \(load) at the end"
    }

    var json: JSON {
        .object([
            ("cpus", .number(Double(Self.cpus))), ("processor", .text(processor)), ("kernel", .text(kernel)),
            ("fileSystem", .text(fileSystemName)), ("blockBytes", .number(Double(blockBytes))), ("load", .text(load)),
        ])
    }

    private static var processorName: String? {
        let line = text(ofFile: "/proc/cpuinfo")?.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last.map { String($0.drop { $0 == " " }) }
    }

    private static var kernelRelease: String {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return "?" }
        return unsafe withUnsafeBytes(of: &name.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

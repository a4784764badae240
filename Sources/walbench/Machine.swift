import FileIO
import Glibc

/// Where the figures come from: without it they say nothing.
struct Machine {
    var cpus = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    var processor: String
    var kernel: String
    var fileSystemName: String
    var blockBytes: Int

    init(_ workplace: Workplace) {
        processor = Self.processorName(workplace.fileSystem) ?? "unknown processor"
        kernel = Self.kernelRelease()
        fileSystemName = workplace.volume.fileSystemName
        blockBytes = workplace.volume.logicalBlockBytes
    }

    var line: String {
        "\(cpus) cpus (\(processor)), Linux \(kernel), \(fileSystemName), device blocks of \(blockBytes) B"
    }

    var json: JSON {
        .object([
            ("cpus", .number(Double(cpus))), ("processor", .text(processor)), ("kernel", .text(kernel)),
            ("fileSystem", .text(fileSystemName)), ("blockBytes", .number(Double(blockBytes))),
        ])
    }

    private static func processorName(_ fileSystem: LinuxFileSystem) -> String? {
        let buffer = AlignedBuffer(byteCount: 16_384)
        guard let directory = try? fileSystem.openDirectory(at: "/proc"),
            let file = try? directory.open("cpuinfo", for: .reading),
            let count = try? file.read(into: buffer, at: 0, count: buffer.byteCount, from: 0, source: .cache)
        else { return nil }
        let text = unsafe buffer.bytes.withUnsafeBytes { unsafe String(decoding: $0.prefix(count), as: UTF8.self) }
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last.map { String($0.drop { $0 == " " }) }
    }

    private static func kernelRelease() -> String {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return "?" }
        return unsafe withUnsafeBytes(of: &name.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

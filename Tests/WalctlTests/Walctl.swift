import DurableChannel
import Glibc
import LogFormat
import SimulatedFileIO
import TestSupport

@testable import CrashHarness

/// The real `walctl`, run to its end.
struct Walctl {
    var code: Int32?
    var output: String
    var errors: String

    /// - Parameter directory: for what it writes.
    init(_ arguments: [String], in directory: String) {
        let (output, errors) = (directory + "/walctl-output", directory + "/walctl-errors")
        code = Child.run([BuiltProgram.path("walctl")] + arguments, output: output, errors: errors)
        self.output = TestFiles.text(output) ?? ""
        self.errors = TestFiles.text(errors) ?? ""
    }
}

/// Logs whose every byte is known: made by the engine on a simulated disk, with its clock and its random numbers.
enum KnownLog: String, CaseIterable {
    /// Four segments, closed.
    case intact
    /// The power went in the middle of a write.
    case torn
    /// A bit of a frame with held events, one copy of an identity, and a checkpoint slot are not as they were.
    case damaged
    /// A segment with held events is not there.
    case missing
    /// No identity, no checkpoint.
    case refused

    /// Writes its files into a new directory.
    func write(to path: String) throws {
        let disk = try make()
        guard unsafe mkdir(path, 0o700) == 0 else { return }
        for name in disk.names(in: ChannelRecorder.path) ?? [] where name != "pid" {
            _ = TestFiles.write(disk.contents(of: ChannelRecorder.path + "/" + name) ?? [], to: path + "/" + name)
        }
    }

    /// Words that do not compress well.
    private static func text(_ number: Int) -> [UInt8] {
        var value = UInt32(number + 1)
        return Array("line \(number): ".utf8)
            + (0..<number * 9).map { _ in
                value = value &* 1_664_525 &+ 1_013_904_223
                return 0x61 + UInt8(value >> 27) % 26
            }
    }

    private func make() throws -> SimulatedDisk {
        let process = SimulatedProcess(SimulatedDisk(), seed: 11)
        var configuration = ChannelConfiguration(capacityBytes: 512 << 10)
        configuration.segmentBytes = 24 << 10
        configuration.snapshotLimitBytes = 4096
        // The bytes that a compressor makes are its own choice.
        configuration.compression = .none
        let channel = try FileChannel.open(
            at: ChannelRecorder.path, configuration: configuration, fileSystem: process.fileSystem,
            runtime: process.runtime)
        for number in 0..<24 {
            var put = try channel.beginPut(
                producer: ProducerStamp(id: ProducerID(high: 1, low: 2), sequence: UInt64(number + 1)))
            for line in 0..<4 {
                try put.append(
                    Event(
                        headers: [EventHeader(key: "host", value: Array("web-\(line % 2)".utf8))],
                        body: Self.text(number * 4 + line)))
            }
            try put.setBookmark("source", Array("offset \(number)".utf8))
            try put.commit()
        }
        var odd = try channel.beginPut()
        try odd.append(
            Event(
                headers: [EventHeader(key: "odd", value: [0xFF, 0x00])],
                body: [0x00, 0x1B, 0x5B, 0x33, 0x31, 0x6D, 0xFE, 0x0A]))
        try odd.append(Event(body: []))
        try odd.commit()
        try channel.beginTake(maxEvents: 30).commit()
        if self != .torn {
            try channel.close()
        }
        let disk = process.disk.clone()
        func change(_ name: String, _ body: (inout [UInt8]) -> Void) {
            let path = ChannelRecorder.path + "/" + name
            var bytes = disk.contents(of: path) ?? []
            body(&bytes)
            disk.setContents(of: path, to: bytes)
        }
        let segments = (disk.names(in: ChannelRecorder.path) ?? []).filter { $0.hasSuffix(".seg") }
        switch self {
        case .intact: break
        case .torn:
            // The last frame's end never came.
            let last = segments.last { name in
                (disk.contents(of: ChannelRecorder.path + "/" + name) ?? []).dropFirst(8192).contains { $0 != 0 }
            }
            change(last!) { bytes in
                let end = (bytes.lastIndex { $0 != 0 } ?? 0) + 1
                for index in end - 40..<end { bytes[index] = 0 }
            }
        case .damaged:
            change(segments[segments.count - 2]) { $0[0x3000] ^= 1 }
            change(segments[segments.count - 2]) { $0[100] ^= 1 }
            change("checkpoint") { $0[40] ^= 1 }
        case .missing: disk.remove(ChannelRecorder.path + "/" + segments[segments.count - 2])
        case .refused:
            disk.remove(ChannelRecorder.path + "/checkpoint")
            for segment in segments { change(segment) { bytes in for index in 0..<8192 { bytes[index] = 0x5A } } }
        }
        return disk
    }
}

import CrashHarness
import DurableChannel
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// A frame as it stands on the disk.
struct PlacedFrame {
    var segment: UInt64
    var offset: Int
    var header: FrameHeader
    /// As it is stored.
    var payload: [UInt8]

    var end: Int { offset + Int(header.frameBytes) }
    var sequences: Range<UInt64> {
        header.baseSequence.rawValue..<header.baseSequence.rawValue + UInt64(header.eventCount)
    }
}

/// What stands on the disk of a world, and damage done to it from outside, durably.
extension World {
    static func segment(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits + ".seg"
    }

    func contents(_ name: String) -> [UInt8] { disk.contents(of: Self.path + "/" + name) ?? [] }

    func setContents(_ name: String, _ bytes: [UInt8]) { disk.setContents(of: Self.path + "/" + name, to: bytes) }

    func change(_ name: String, _ body: (inout [UInt8]) -> Void) {
        var bytes = contents(name)
        body(&bytes)
        setContents(name, bytes)
    }

    func flip(_ name: String, at offset: Int, bit: UInt8 = 0) { change(name) { $0[offset] ^= 1 << bit } }

    func truncate(_ name: String, to size: Int) { change(name) { $0.removeLast(max(0, $0.count - size)) } }

    func remove(_ name: String) { disk.remove(Self.path + "/" + name) }

    func names() -> [String] { disk.names(in: Self.path) ?? [] }

    /// Flips a bit in the payload of the put frame that holds a sequence.
    func damage(_ sequence: UInt64) throws {
        let frame = try self.frame(holding: sequence)
        flip(Self.segment(frame.segment), at: frame.offset + FrameHeader.byteCount + 20)
    }

    /// The put frame that holds a sequence.
    func frame(holding sequence: UInt64) throws -> PlacedFrame {
        try #require(try frames().first { $0.header.type == .put && $0.sequences.contains(sequence) })
    }

    /// The frames of all segments, in order, as a reader without any knowledge of the log finds them.
    func frames() throws -> [PlacedFrame] {
        try segmentNames().flatMap { name in try frames(try #require(UInt64(name.prefix(16), radix: 16))) }
    }

    func frames(_ number: UInt64) throws -> [PlacedFrame] {
        let bytes = contents(Self.segment(number))
        let block = Array(bytes[0..<4096])
        let identity = unsafe try IdentityBlock(decoding: block.span.bytes)
        var frames: [PlacedFrame] = []
        var offset = 8192
        while offset + FrameHeader.byteCount <= bytes.count {
            guard unsafe FrameHeader.hasMagic(bytes.span.bytes, at: offset),
                let header = unsafe try? FrameHeader.decode(
                    bytes.span.bytes, at: offset, life: identity.life, position: UInt64(offset))
            else {
                offset += 8
                continue
            }
            let start = offset + FrameHeader.byteCount
            frames.append(
                PlacedFrame(
                    segment: number, offset: offset, header: header,
                    payload: Array(bytes[start..<start + Int(header.storedBytes)])))
            offset += Int(header.frameBytes)
        }
        return frames
    }
}

extension DropRecord {
    init(_ frame: PlacedFrame) throws { self = unsafe try DropRecord(decoding: frame.payload.span.bytes) }
}

extension LeaseRecord {
    init(_ frame: PlacedFrame) throws { self = unsafe try LeaseRecord(decoding: frame.payload.span.bytes) }
}

extension LossRecord {
    init(_ frame: PlacedFrame) throws { self = unsafe try LossRecord(decoding: frame.payload.span.bytes) }
}

extension World {
    /// Opens the log below the channel, lets `body` append to it what the channel would not, and closes it. The channel's own
    /// part of the snapshots stays as it was.
    func forge(
        capacityBytes: UInt64 = 512 << 10, segmentBytes: UInt32 = 24 << 10, _ body: (Log) throws -> Void
    ) throws {
        var settings = LogConfiguration(capacityBytes: capacityBytes)
        settings.segmentBytes = segmentBytes
        if capacityBytes < 1 << 20 { settings.snapshotLimitBytes = 4096 }
        let forger = SimulatedRuntime(seed: 99)
        let pointers = Pointers()
        let log = try Log.open(
            at: Self.path, fileSystem: SimulatedFileSystem(disk: disk, runtime: forger), runtime: forger,
            configuration: settings, clientState: { pointers.checkpoint! },
            restored: { (checkpoint) throws(LogError) in pointers.checkpoint = checkpoint })
        try body(log)
        try log.close()
        forger.dropAllWork()
    }
}

private final class Pointers: @unchecked Sendable { var checkpoint: ClientCheckpoint? }

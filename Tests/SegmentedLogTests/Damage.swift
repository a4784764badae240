import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// A frame as it stands on the disk.
struct PlacedFrame {
    var segment: UInt64
    var offset: Int
    var header: FrameHeader
    var payload: [UInt8]

    var end: Int { offset + Int(header.frameBytes) }
    var tag: Int { SegmentedLogTests.tag(payload) }
    var place: String { "\(String(segment, radix: 16))/\(String(offset, radix: 16))" }
}

/// Damage done to the files of a world from outside, durably, and what a log then says.
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

    func zero(_ name: String, _ range: Range<Int>) {
        change(name) { $0.replaceSubrange(range, with: [UInt8](repeating: 0, count: range.count)) }
    }

    func truncate(_ name: String, to size: Int) { change(name) { $0.removeLast(max(0, $0.count - size)) } }

    func remove(_ name: String) { disk.remove(Self.path + "/" + name) }

    /// Makes both identity blocks of a segment unreadable.
    func spoilIdentity(_ number: UInt64, copies: [Int] = [0, 1]) {
        for copy in copies { flip(Self.segment(number), at: 4096 * copy + 48) }
    }

    /// The frames of a segment, in order, as a reader without any knowledge of the log finds them.
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

    /// The put frame with this tag.
    func frame(tag: Int) throws -> PlacedFrame {
        for name in segmentNames() {
            let number = try #require(UInt64(name.prefix(16), radix: 16))
            if let frame = try frames(number).first(where: { $0.header.type == .put && $0.tag == tag }) { return frame }
        }
        throw LogError(.notFound, "no frame has the tag \(tag)")
    }

    /// The same disk for another process; this one stays as it is.
    func copy(seed: UInt64 = 3) -> World { World(disk.clone(), seed: seed) }

    /// A log with one put of 400 bytes for each tag from 0, each a group of one block, 14 to a segment; killed, and the
    /// power cut.
    static func killed(
        puts count: Int = 60, _ configuration: LogConfiguration = small(), bytes: Int = 400, events: Int = 1,
        then finish: (World, Log) throws -> Void = { _, _ in }
    ) throws -> World {
        let world = World()
        let log = try world.open(configuration)
        for index in 0..<count { _ = try log.append([put(index, events: events, bytes: bytes)]) }
        try finish(world, log)
        return world.afterPowerCut()
    }

    /// The same, closed cleanly.
    static func closed(puts count: Int = 60) throws -> World {
        try killed(puts: count) { _, log in try log.close() }
    }
}

extension LogConfiguration {
    var strict: LogConfiguration {
        var configuration = self
        configuration.damagePolicy = .strict
        return configuration
    }
}

extension RecoveryReport {
    var lossTexts: [String] { losses.map { "\($0)" } }
    var unreadableTexts: [String] { unreadable.map { "\($0)" } }

    /// The sequences of all losses, each once.
    var lostSequences: [UInt64] {
        var lost: Set<UInt64> = []
        for range in losses { lost.formUnion(range.firstSequence.rawValue..<range.endSequence.rawValue) }
        return lost.sorted()
    }
}

extension Log {
    /// What a reader comes to: tags of puts as numbers, damage in its own words.
    func readings() throws -> [String] {
        let reader = makeReader()
        var readings: [String] = []
        while let item = try reader.next() {
            switch item {
            case .frame(let frame):
                if frame.header.type == .put { readings.append("\(SegmentedLogTests.tag(frame.payload))") }
            case .damage(let range): readings.append("\(range)")
            case .unreadable(let range): readings.append("\(range)")
            }
        }
        return readings
    }

    func count(of type: FrameType) throws -> Int { try frameTypes().count { $0 == type } }
}

/// Tags as `readings()` gives them.
func texts(_ tags: some Sequence<Int>) -> [String] { tags.map { "\($0)" } }

/// Under `strict` an open throws `damaged`, and no byte and no name is another than before.
func expectStrictRefuses(
    _ world: World, _ configuration: LogConfiguration = World.small(), at place: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let copy = world.copy()
    let before = copy.disk.liveHash
    let error = openingError(copy, configuration.strict)
    #expect(error?.code == .damaged, "\(String(describing: error))", sourceLocation: sourceLocation)
    if let place { #expect(error?.lsn.map { "\($0)" } == place, sourceLocation: sourceLocation) }
    #expect(copy.disk.liveHash == before, "strict changed something", sourceLocation: sourceLocation)
}

/// What opening throws; nil when it does not.
func openingError(_ world: World, _ configuration: LogConfiguration = World.small()) -> LogError? {
    do throws(LogError) {
        _ = try world.open(configuration)
        return nil
    } catch {
        return error
    }
}

extension World {
    /// Without what an opening found and nothing needs: that goes behind it.
    fileprivate func names(of log: Log) -> [String] {
        let live = Set(log.segments.map { World.segment($0.number.rawValue) })
        return names().filter { $0.hasSuffix(".seg") ? live.contains($0) : !$0.hasSuffix(".tmp") }
    }
}

/// Opens three times, with a power cut after each: the first settles everything, the others find the same and cost one
/// block each, or one segment where no block is left. Returns the first one's report, and what a reader gets.
@discardableResult
func expectConvergence(
    _ world: World, _ configuration: LogConfiguration = World.small(),
    sourceLocation: SourceLocation = #_sourceLocation
) throws -> (report: RecoveryReport, readings: [String]) {
    let first = world.copy(seed: 11)
    let log = try first.open(configuration)
    let readings = try log.readings()
    let losses = try log.count(of: .loss)
    var durable = log.durableThrough
    var earlier: (world: World, log: Log) = (first, log)
    for round in 0..<2 {
        let next = earlier.world.afterPowerCut(seed: UInt64(20 + round))
        let names = earlier.world.names(of: earlier.log)
        let again = try next.open(configuration)
        let report = again.recoveryReport
        let story: Comment = "opening \(round + 2): \(report)"
        let (nowRead, nowLost) = (try again.readings(), try again.count(of: .loss))
        #expect(nowRead == readings, story, sourceLocation: sourceLocation)
        #expect(nowLost == losses, story, sourceLocation: sourceLocation)
        #expect(report.tail == durable, story, sourceLocation: sourceLocation)
        #expect(report.unknown.isEmpty, story, sourceLocation: sourceLocation)
        let end = again.durableThrough
        #expect(end.nextSequence == durable.nextSequence, story, sourceLocation: sourceLocation)
        let size = next.contents(World.segment(durable.lsn.segment.rawValue)).count
        if Int(durable.lsn.offset) + 1024 <= size {
            #expect(end.lsn.segment == durable.lsn.segment, story, sourceLocation: sourceLocation)
            #expect(end.lsn.offset == durable.lsn.offset + 512, story, sourceLocation: sourceLocation)
            #expect(next.names(of: again) == names, story, sourceLocation: sourceLocation)
        } else {
            // A number that a prepared segment had is not used again, nor that of one which was found and is not gone yet.
            #expect(
                [1, 2, 3].contains(end.lsn.segment.rawValue - durable.lsn.segment.rawValue), story,
                sourceLocation: sourceLocation)
        }
        durable = again.durableThrough
        earlier = (next, again)
    }
    return (log.recoveryReport, readings)
}

internal import DurableChannel
package import LogFormat
internal import SegmentedLog
internal import FileIO
internal import SimulatedFileIO

/// What must not be, in words.
package struct EveryBitObjection: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// A small log that real processes made, in memory: its files, what was promised of it, and what stands where in it.
package struct EveryBitLog: Sendable {
    package enum End: String, Sendable, CaseIterable {
        /// Closed by its process.
        case closed
        /// Left alone until the mark of an idle log was written, then killed.
        case idle
        /// Killed while several threads put and took.
        case killed
    }

    package let end: End
    package let files: [String: [UInt8]]
    package let promises: EveryBitPromises
    /// Holds the files; only its clones are used.
    let disk: SimulatedDisk

    /// A frame that counts, and what only it says.
    struct Frame: Sendable {
        var file: String
        var bytes: Range<Int>
        var lsn: LSN
        var type: FrameType
        /// Of a put: its events.
        var events: Range<UInt64>
        /// Of a take commit or a drop: what it decides.
        var decided: [SequenceRange]
        /// Names of the bookmarks that it sets.
        var bookmarks: [String]
    }

    /// Somewhere it says that everything below a number was given, and what stands there was durable.
    struct Statement: Sendable {
        var file: String
        var bytes: Range<Int>
        var nextSequence: UInt64
    }

    private(set) var frames: [Frame] = []
    private(set) var statements: [Statement] = []
    /// The tag of each event that is held, by sequence.
    private(set) var held: [UInt64: Int] = [:]
    private(set) var tail = LSN(segment: SegmentNumber(0), offset: 0)
    private(set) var putEvents: UInt64 = 0
    private(set) var bookmarks: [String: [UInt8]] = [:]
    private(set) var remarks: Set<String> = []
    /// Everything that was put, by tag.
    let events: [Int: Event]
    let acknowledged: [UInt64: Int]
    let decided: Set<UInt64>
    let perhapsDecided: Set<UInt64>

    /// Opens a copy of it as it is, which must hold exactly what was promised.
    package init(
        _ end: End, files: [String: [UInt8]], promises: EveryBitPromises
    ) throws(EveryBitObjection) {
        self.end = end
        self.files = files
        self.promises = promises
        (events, acknowledged) = (promises.events, promises.acknowledged)
        (decided, perhapsDecided) = (promises.decided, promises.perhapsDecided)
        disk = SimulatedDisk()
        for place in EveryBitPlace.path.indices.dropFirst() where EveryBitPlace.path[place] == "/" {
            disk.plant(.directory, at: String(EveryBitPlace.path[..<place]))
        }
        disk.plant(.directory, at: EveryBitPlace.path)
        for (name, bytes) in files { disk.setContents(of: EveryBitPlace.path + "/" + name, to: bytes) }
        let place = EveryBitPlace(disk.clone())
        let look: EveryBitLook
        do throws(ChannelError) {
            let process = place.process()
            let channel = try process.open(.salvage)
            look = try EveryBitLook(channel, bookmarkNames)
            try learn(from: channel)
            try channel.close()
        } catch { throw EveryBitObjection("the log as it is: \(error)") }
        if let objection = objection(asItIs: look) { throw EveryBitObjection("the log as it is: \(objection)") }
    }

    /// A simulated disk of its own that holds the changed log.
    package func ground(after variant: EveryBitVariant) -> EveryBitPlace {
        let disk = disk.clone()
        variant.apply(to: disk, in: EveryBitPlace.path, files)
        return EveryBitPlace(disk)
    }

    /// Events that were acknowledged, and that no statement vouches for.
    package var eventsInWindow: Int { acknowledged.keys.count { $0 >= provenEnd(without: [:]) } }
    /// Whether it ends as it is to end: with its close; with the mark of an idle log, which takes its time to come; without one.
    package var endsAsMeant: Bool {
        // A group is padded to its block.
        let last = frames.last { $0.type != .padding }?.type
        return switch end {
        case .closed: last == .close
        case .idle: last == .mark
        case .killed: last != .mark && last != .close
        }
    }
    /// That, and whether there is a window to look into, if it was killed.
    package var isTelling: Bool { endsAsMeant && (end != .killed || eventsInWindow > 0) }
    package var segments: Int { files.keys.count { $0.hasSuffix(".seg") } }
    package var frameTypes: [FrameType: Int] { frames.reduce(into: [:]) { $0[$1.type, default: 0] += 1 } }
    package var bytes: Int { files.values.reduce(0) { $0 + $1.count } }

    /// The next sequence behind all that what is left still vouches for.
    func provenEnd(without touched: [String: Range<Int>]) -> UInt64 {
        statements.reduce(1) { end, statement in
            let isGone = touched[statement.file].map { $0.overlaps(statement.bytes) } ?? false
            return isGone ? end : max(end, statement.nextSequence)
        }
    }

    var bookmarkNames: [String] {
        Array(
            Set(
                promises.puts.keys.compactMap { EveryBitPromises.bookmark(ofPut: $0)?.name }
                    + promises.takes.keys.map { EveryBitPromises.bookmark(ofTake: $0).name })
        ).sorted()
    }

    // MARK: The log as it is

    private mutating func learn(from channel: FileChannel) throws(ChannelError) {
        let report = channel.recoveryReport
        tail = report.tail.lsn
        putEvents = channel.metrics.putEvents
        remarks = Set(report.remarks)
        do throws(LogError) {
            let reader = channel.log.makeReader()
            while let item = try reader.next() {
                // Between frames of two epochs there may be what was never finished.
                guard case .frame(let frame) = item, frame.header.epoch != report.epoch else { continue }
                note(frame)
            }
        } catch { throw ChannelError(.damaged, "its frames cannot be read: \(error)") }
        let checkpoint = files["checkpoint"] ?? []
        for start in [0, checkpoint.count / 2] {
            let bytes = Array(checkpoint[start..<start + checkpoint.count / 2])
            guard let slot = try? CheckpointSlot(decoding: unsafe bytes.span.bytes),
                let length = try? slot.encode().count
            else { continue }
            statements.append(
                Statement(
                    file: "checkpoint", bytes: start..<start + length,
                    nextSequence: slot.durableThrough.nextSequence.rawValue))
        }
    }

    private mutating func note(_ frame: LogFrame) {
        let name = FileNames.segment(frame.lsn.segment)
        let start = Int(frame.lsn.offset)
        let range = start..<start + Int(frame.header.frameBytes)
        let base = frame.header.baseSequence.rawValue
        var noted = Frame(
            file: name, bytes: range, lsn: frame.lsn, type: frame.header.type,
            events: base..<base + UInt64(frame.header.eventCount), decided: [], bookmarks: [])
        if let raw = try? FramePayload.decompress(frame.payload, header: frame.header) {
            let raw = unsafe raw.span.bytes
            if frame.header.type.holdsTransactions,
                let heads = try? TransactionHead.heads(
                    in: raw, type: frame.header.type, transactionCount: frame.header.transactionCount)
            {
                noted.decided = heads.flatMap(\.ranges)
                noted.bookmarks = heads.flatMap { $0.bookmarks.map(\.name) }
            }
            if frame.header.type == .drop, let drop = try? DropRecord(decoding: raw) { noted.decided = drop.ranges }
        }
        frames.append(noted)
        statements.append(
            Statement(
                file: name, bytes: range, nextSequence: frame.header.durableThrough.nextSequence.rawValue))
    }

    /// What is wrong with a log that nobody has touched.
    private mutating func objection(asItIs look: EveryBitLook) -> String? {
        let report = look.report
        if report.created || !report.losses.isEmpty || !report.unreadable.isEmpty {
            return "it is damaged before anything was done to it: \(report)"
        }
        if report.wasClosedCleanly != (end == .closed) || promises.isClosed != (end == .closed) {
            return "its clean end is \(report.wasClosedCleanly), and it is to be \(end.rawValue)"
        }
        if let objection = objection(toEvents: look) { return objection }
        held = Dictionary(uniqueKeysWithValues: look.events.map { ($0.sequence, $0.tag) })
        for sequence in acknowledged.keys where held[sequence] == nil {
            if !decided.contains(sequence), !perhapsDecided.contains(sequence) { return "event \(sequence) is gone" }
        }
        for event in look.events {
            if decided.contains(event.sequence) { return "event \(event.sequence) was taken and is there" }
            if promises.handedOut.contains(event.sequence), !event.isMarked {
                return "event \(event.sequence) comes again without mark"
            }
        }
        bookmarks = look.bookmarks
        for name in bookmarkNames where !mayStand(bookmarks[name], under: name) {
            return "bookmark \(name) is \(Self.words(bookmarks[name]))"
        }
        if !look.metrics.isBalanced || look.metrics.putEvents < promises.acknowledgedEnd - 1 {
            return "it counts \(look.metrics)"
        }
        // The frames that are said to be touched later are all that hold these events.
        for sequence in held.keys where !frames.contains(where: { $0.events.contains(sequence) }) {
            return "no frame holds event \(sequence)"
        }
        return nil
    }

    /// Each is one that was put, under the number that it was given, with all that belongs to it; they ascend.
    func objection(toEvents look: EveryBitLook) -> String? {
        for (one, next) in zip(look.events, look.events.dropFirst()) where next.sequence <= one.sequence {
            return "\(next.sequence) comes after \(one.sequence)"
        }
        for event in look.events {
            guard let expected = events[event.tag] else { return "event \(event.sequence) was never put" }
            guard event.event == expected else {
                return "event \(event.sequence), tag \(event.tag), is not as it was put: \(event.event)"
            }
            if let tag = acknowledged[event.sequence] ?? held[event.sequence], tag != event.tag {
                return "event \(event.sequence) is \(event.tag), and was \(tag)"
            }
        }
        return nil
    }

    /// The last that was acknowledged, or one that was under way behind it.
    private func mayStand(_ value: [UInt8]?, under name: String) -> Bool {
        let puts = promises.puts.filter { EveryBitPromises.bookmark(ofPut: $0.key)?.name == name }
        let takes = promises.takes.filter { EveryBitPromises.bookmark(ofTake: $0.key).name == name }
        let answered = puts.filter { $0.value.base != nil }.keys.map { $0 } + takes.filter { $0.value.isDone }.keys
        let last = answered.max() ?? -1
        guard let value else { return last < 0 }
        let isPut = name == puts.keys.first.flatMap { EveryBitPromises.bookmark(ofPut: $0)?.name }
        return (Array(puts.keys) + takes.keys).contains { number in
            guard number >= last else { return false }
            let expected =
                isPut
                ? EveryBitPromises.bookmark(ofPut: number)?.value : EveryBitPromises.bookmark(ofTake: number).value
            return expected == value
        }
    }

    static func words(_ value: [UInt8]?) -> String { value.map { String(decoding: $0, as: UTF8.self) } ?? "not there" }
}

package import DurableChannel
package import FileIO
package import LogFormat
package import SegmentedLog

/// How a channel is, on one screen: what an opening would find, how much waits and since when, and where the room goes.
package struct StatusReport: Sendable {
    package enum State: String, Sendable {
        case clean
        /// What a crash leaves: the next opening cuts it off.
        case tornTail = "torn_tail"
        case damaged
        /// An opening would be refused.
        case refused
        /// There is no log here.
        case none
    }

    /// Files by what they are for.
    package struct Space: Sendable {
        /// Bytes on the disk, all files.
        package var used: UInt64 = 0
        package var segments: UInt64 = 0
        package var spares: UInt64 = 0
        package var setAside: UInt64 = 0
        package var foreign: UInt64 = 0
        /// As the last opening recorded it.
        package var capacity: UInt64?
    }

    /// An event, where it stands.
    package struct Oldest: Sendable {
        package var sequence: EventSequence
        /// nil where its frame cannot be read.
        package var commitTime: UInt64?
        package var lsn: LSN?
    }

    /// Why the oldest segment is kept.
    package struct Pin: Sendable {
        package var segment: SegmentNumber
        package var heldEvents: UInt64
        package var first: EventSequence?
    }

    package let path: String
    package let process: Int32?
    package let log: LogUUID?
    package private(set) var state: State
    package let refusal: ChannelError?
    package let isSteady: Bool
    /// Sequences 1 to below it were given.
    package let nextSequence: EventSequence
    package let group: ClientState.Group
    package let held: UInt64
    /// Of those, what may have been handed out before a crash and comes with the mark.
    package let mayRepeat: UInt64
    /// Found lost by the next opening.
    package let lostNow: UInt64
    /// Bytes of the segments that hold what is held, from their first frame to their last.
    package let heldBytes: UInt64
    package let bookmarks: [Bookmark]
    package let producers: Int
    package private(set) var oldest: Oldest?
    package let liveSegments: Int
    package let retiredSegments: Int
    package let spareFiles: Int
    package let reserves: Int
    package let segmentBytes: UInt64?
    package private(set) var open: OpenRecord?
    package let epoch: Epoch
    package let writeMethod: WriteMethod?
    /// Stored and raw bytes of what was put since the last checkpoint.
    package let recent: (stored: UInt64, raw: UInt64)
    package private(set) var space: Space
    package let pin: Pin?
    package let findings: [DamagedRange]
    package let tornFrames: Int
    package let remarks: [String]
    package let openings: [OpeningReport]

    package init(_ inspection: LogInspection) {
        let (view, channel) = (inspection.view, inspection.channel)
        path = inspection.path
        process = inspection.process
        log = view?.logUUID
        refusal = inspection.refusal
        isSteady = inspection.isSteady
        nextSequence = channel?.nextSequence ?? EventSequence(1)
        let state = channel?.clientState ?? ClientState()
        group = state.groups.first ?? ClientState.Group(name: "default")
        held = channel?.held ?? 0
        let all = SequenceRange(first: EventSequence(1), end: nextSequence)
        let heldRanges = all.count > 0 ? channel?.held(in: all) ?? [] : []
        let marked = channel?.markedBelow ?? EventSequence(1)
        mayRepeat = heldRanges.reduce(0) { sum, range in
            sum + SequenceRange(first: range.first, end: min(range.end, max(marked, range.first))).count
        }
        lostNow = channel?.lostNow.count ?? 0
        bookmarks = state.bookmarks
        producers = state.producers.count
        liveSegments = view?.segments.count ?? 0
        let live = Set(view?.segments.map(\.number) ?? [])
        retiredSegments = view == nil ? 0 : inspection.inventory.segments.count { !live.contains($0) }
        spareFiles = inspection.inventory.temporaries.count
        reserves = inspection.inventory.reserves.count
        segmentBytes = inspection.settings.map { UInt64($0.segmentBytes) }
        epoch = view?.epoch ?? Epoch(0)
        recent = inspection.replayed
        findings = inspection.findings.sorted { ($0.segment, $0.fromOffset) < ($1.segment, $1.fromOffset) }
        tornFrames = inspection.isInUse ? 0 : view?.report.unknown.count ?? 0
        remarks = (view?.report.remarks ?? []) + (channel?.remarks ?? [])
        heldBytes = Self.heldBytes(view, heldRanges)
        pin = Self.pin(view, channel)
        space = Space(inspection)
        openings = OpeningReport.all(in: inspection)
        writeMethod = Self.writeMethod(inspection)
        self.state = Self.state(inspection)
        open = inspection.opens.last?.record
        if let first = channel?.oldestHeld {
            oldest = Self.find(first, in: inspection) ?? Oldest(sequence: first, commitTime: nil, lsn: nil)
        }
        if open == nil { open = Self.openRecord(inspection) }
    }

    private static func state(_ inspection: LogInspection) -> State {
        if inspection.inventory.isVirgin { return .none }
        if inspection.refusal != nil { return .refused }
        if !inspection.findings.isEmpty { return .damaged }
        guard let view = inspection.view, !inspection.isInUse else { return .clean }
        let isTorn = view.decisions.contains { $0.lsn >= view.tail.lsn && $0.found != "nothing" }
        return isTorn || !view.report.unknown.isEmpty ? .tornTail : .clean
    }

    private static func heldBytes(_ view: LogView?, _ held: [SequenceRange]) -> UInt64 {
        guard let view, let first = held.first?.first else { return 0 }
        var sum: UInt64 = 0
        for entry in view.segments where (view.base(after: entry.number) ?? entry.baseSequence) > first {
            let end =
                entry.endOffset == 0
                ? (entry.number == view.tail.lsn.segment ? view.tail.lsn.offset : 0) : entry.endOffset
            if entry.holdsEvents, end > SegmentScan.firstOffset { sum += end - SegmentScan.firstOffset }
        }
        return sum
    }

    private static func pin(_ view: LogView?, _ channel: ChannelReplay?) -> Pin? {
        guard let view, let channel, let oldest = view.segments.first, let end = view.base(after: oldest.number) else {
            return nil
        }
        let held =
            oldest.baseSequence < end
            ? channel.held(in: SequenceRange(first: oldest.baseSequence, end: end)) : []
        return Pin(
            segment: oldest.number, heldEvents: held.reduce(0) { $0 + $1.count }, first: held.first?.first)
    }

    /// The frame of an event, read up to there.
    private static func find(_ sequence: EventSequence, in inspection: LogInspection) -> Oldest? {
        var walk = LogWalk(inspection)
        walk.sequences = SequenceRange(first: sequence, end: EventSequence(sequence.rawValue + 1))
        walk.isLiveOnly = true
        var found: Oldest?
        try? walk.run { item in
            guard case .frame(let frame) = item, frame.verdict == .valid, frame.header.eventCount > 0 else {
                return .goOn
            }
            if frame.header.endSequence <= sequence { return .goOn }
            if frame.sequences.contains(sequence) {
                found = Oldest(sequence: sequence, commitTime: frame.header.commitTime, lsn: frame.lsn)
            }
            return .stop
        }
        return found
    }

    /// Of the epoch in force, where it began before the last checkpoint.
    private static func openRecord(_ inspection: LogInspection) -> OpenRecord? {
        guard let view = inspection.view, let segment = view.openings.last(where: { $0.epoch <= view.epoch })?.segment
        else {
            return nil
        }
        var walk = LogWalk(inspection)
        walk.segments = [segment]
        var record: OpenRecord?
        try? walk.run { item in
            guard case .frame(let frame) = item, frame.header.type == .open, let raw = try? frame.raw() else {
                return .goOn
            }
            record = try? OpenRecord(decoding: raw.rawBytes)
            return frame.header.epoch >= view.epoch ? .stop : .goOn
        }
        return record
    }

    private static func writeMethod(_ inspection: LogInspection) -> WriteMethod? {
        guard let process = inspection.process, let active = inspection.view?.tail.lsn.segment,
            let status = try? inspection.directory.status(of: FileNames.segment(active))
        else { return nil }
        return LockHolder.writeMethod(of: status, in: process)
    }

    /// The sum of what became of all events: put = held + taken + dropped + lost.
    package var put: UInt64 { nextSequence.rawValue - 1 }
}

extension StatusReport.Space {
    init(_ inspection: LogInspection) {
        capacity = inspection.settings?.capacityBytes
        let foreign = Set(inspection.inventory.foreign)
        for name in (try? inspection.directory.list()) ?? [] {
            guard let status = try? inspection.directory.status(of: name) else { continue }
            used += status.allocatedBytes
            switch FileNames.kind(of: name) {
            case .segment: segments += status.allocatedBytes
            case .temporary: spares += status.allocatedBytes
            case .setAside: setAside += status.allocatedBytes
            default: if foreign.contains(name) { self.foreign += status.allocatedBytes }
            }
        }
    }
}

/// What an earlier opening has said that it found: a file `report-...` of the directory.
package struct OpeningReport: Sendable {
    package var epoch: Epoch
    /// It made the channel.
    package var created: Bool?
    package var wasClosedCleanly: Bool?
    /// Events that it found lost.
    package var lost: UInt64?
    package var damagedRanges: UInt64?
    package var milliseconds: UInt64?
    /// When its file was written.
    package var time: UInt64
    /// Why it cannot be understood.
    package var flaw: String?

    /// Newest first.
    static func all(in inspection: LogInspection) -> [OpeningReport] {
        inspection.inventory.reports.sorted(by: >).prefix(8).compactMap { name in
            guard let epoch = FileNames.reportEpoch(name), let status = try? inspection.directory.status(of: name)
            else {
                return nil
            }
            var report = OpeningReport(epoch: epoch, time: status.modificationTime)
            guard let bytes = inspection.contents(of: name, atMost: 256 << 10) else {
                report.flaw = "it cannot be read"
                return report
            }
            do throws(JSONError) { report.note(try JSON(parsing: bytes)) } catch { report.flaw = "\(error)" }
            return report
        }
    }

    private init(epoch: Epoch, time: UInt64) {
        self.epoch = epoch
        self.time = time
    }

    private mutating func note(_ json: JSON) {
        let recovery = json["recovery"]
        created = recovery?["created"]?.flag
        wasClosedCleanly = recovery?["wasClosedCleanly"]?.flag
        damagedRanges = recovery?["losses"]?["count"]?.whole
        milliseconds = recovery?["totalNanoseconds"]?.whole.map { $0 / 1_000_000 }
        lost = json["loss"]?["counts"]?["lost"]?.whole
    }
}

extension LogInspection {
    /// A small file beside the log; nil when it is not there, or cannot be read.
    func contents(of name: String, atMost limit: Int) -> [UInt8]? {
        guard let file = try? directory.open(name, for: .reading), let status = try? file.status() else { return nil }
        defer { try? file.close() }
        let buffer = AlignedBuffer(byteCount: max(1, Int(min(status.size, UInt64(limit)))))
        guard let count = try? file.read(into: buffer, at: 0, count: buffer.byteCount, from: 0, source: .cache) else {
            return nil
        }
        return buffer.bytes.copy(0..<count)
    }
}

internal import DurableChannel
internal import LogFormat
internal import SegmentedLog

/// Goes on with what is written to a log, frame by frame, until it is told to stop. Reads only, and asks nothing of the process that
/// writes: every few milliseconds, while nothing comes, it looks whether there is more.
package struct LogFollower {
    private let inspection: LogInspection
    private let pollMilliseconds: Int

    package init(_ inspection: LogInspection, pollMilliseconds: Int = 20) {
        self.inspection = inspection
        self.pollMilliseconds = pollMilliseconds
    }

    /// From the end of the log as it was when it was looked at. When segments are let go faster than they are read, that is said
    /// (`recycled`), and it goes on with the oldest that is there.
    package func run(_ visit: (LogWalk.Item) throws -> LogWalk.Step) throws {
        guard let view = inspection.view else {
            throw inspection.refusal
                ?? ChannelError(.configuration, "one segment alone cannot be followed; give the directory of its log")
        }
        var number = view.tail.lsn.segment
        var offset = view.tail.lsn.offset
        while true {
            let segment = WalkedSegment(FileNames.segment(number), number, inspection)
            guard let scan = try? SegmentScan(segment.name, in: inspection.directory), scan.life?.segment == number
            else {
                guard let next = try oldest(notBefore: number) else {
                    Pause.milliseconds(pollMilliseconds)
                    continue
                }
                if next > number, try visit(.recycled(segment)) == .stop { return }
                if next == number { Pause.milliseconds(pollMilliseconds) }
                (number, offset) = (next, SegmentScan.firstOffset)
                continue
            }
            let end = try follow(segment, scan, from: offset, visit)
            offset = SegmentScan.firstOffset
            switch end {
            case .stop: return
            case .next(let next): number = next
            case .gone:
                if try visit(.recycled(segment)) == .stop { return }
                number = SegmentNumber(number.rawValue + 1)
            }
        }
    }

    private enum End {
        case stop
        case next(SegmentNumber)
        case gone
    }

    private func follow(
        _ found: WalkedSegment, _ scan: SegmentScan, from start: UInt64, _ visit: (LogWalk.Item) throws -> LogWalk.Step
    ) throws -> End {
        var segment = found
        segment.note(scan, inspection)
        guard let number = segment.number else { return .gone }
        let successor = SegmentNumber(number.rawValue + 1)
        var offset = start
        while true {
            guard let header = header(in: scan, at: offset) else {
                // Nothing yet, or not all of it; or the writer has gone on elsewhere after a failed write.
                guard scan.isCurrent else { return .gone }
                let here = LSN(segment: number, offset: offset)
                if let next = try oldest(notBefore: successor), isPast(here, in: next) {
                    // What is stated to be durable was written before that was said.
                    if header(in: scan, at: offset) == nil { return .next(next) }
                } else {
                    Pause.milliseconds(pollMilliseconds)
                }
                continue
            }
            let frame = WalkedFrame(
                segment: segment, lsn: LSN(segment: number, offset: offset), header: header, verdict: .valid,
                missingBefore: nil, scan: scan)
            offset += UInt64(header.frameBytes)
            if try visit(.frame(frame)) == .stop { return .stop }
            if header.type == .seal {
                let raw = try frame.raw()
                return .next((try? SealRecord(decoding: raw.rawBytes))?.nextSegment ?? successor)
            }
        }
    }

    /// What stands there, once more from the file where it was not a whole frame when it was read before.
    private func header(in scan: SegmentScan, at offset: UInt64) -> FrameHeader? {
        if case .frame(let header, at: offset)? = scan.next() { return header }
        scan.seek(to: offset)
        if case .frame(let header, at: offset)? = scan.next() { return header }
        return nil
    }

    private func oldest(notBefore number: SegmentNumber) throws -> SegmentNumber? {
        try inspection.directory.list().compactMap {
            if case .segment(let found) = FileNames.kind(of: $0), found >= number { found } else { nil }
        }.min()
    }

    /// Whether a later segment says that nothing is to come at a place: it states that more was durable, or a new epoch begins there.
    /// (That it has frames says nothing: groups are in flight on both sides of a roll, and the later one may be there first.)
    private func isPast(_ place: LSN, in segment: SegmentNumber) -> Bool {
        guard let scan = try? SegmentScan(FileNames.segment(segment), in: inspection.directory) else { return false }
        while case .frame(let header, _)? = scan.next() {
            if header.type == .open || header.durableThrough.lsn > place { return true }
        }
        return false
    }
}

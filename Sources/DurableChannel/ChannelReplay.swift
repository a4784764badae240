package import LogFormat
package import SegmentedLog

/// The pointers of a channel as an opening would restore them, for whoever only looks at its log: fed by ``LogView``.
package struct ChannelReplay: Sendable {
    private var state = ChannelState(groupName: FileChannel.groupName, limits: .ofFormat)
    /// What could not be understood though its checksum is right.
    package private(set) var remarks: [String] = []
    /// What the damage of this opening took: what nobody had taken or dropped before.
    package private(set) var lostNow = SequenceSet()

    package init() {}

    /// From the snapshot that replay starts from. Throws `damaged`, `newerVersion`, as an opening would.
    package mutating func restore(_ snapshot: Snapshot) throws(ChannelError) {
        try state.restore(snapshot.client, from: snapshot.covered)
    }

    package mutating func replay(_ frame: ReplayedFrame) throws(ChannelError) {
        if let remark = try state.replay(frame) { remarks.append(remark) }
        state.replayed(frame)
    }

    /// At the end: what the opening would find lost counts as lost.
    package mutating func finish(_ view: LogView) {
        for loss in view.report.losses where loss.firstSequence < loss.endSequence {
            let range = SequenceRange(first: loss.firstSequence, end: loss.endSequence)
            for part in state.group.undecided(in: range) { lostNow.insert(part) }
            state.acknowledge(range, .lost)
        }
        state.beginLife(view.tail, limits: .ofFormat)
    }

    /// As a snapshot holds it.
    package var clientState: ClientState { state.snapshot }
    /// Events that are put and not decided.
    package var held: UInt64 { state.held }
    /// The first of them.
    package var oldestHeld: EventSequence? { state.oldestHeld }
    /// The sequence that comes next.
    package var nextSequence: EventSequence { state.visible }
    /// What is undecided below it carries the redelivery mark.
    package var markedBelow: EventSequence { state.group.markedBelow }
    /// The counts of the snapshot did not add up, and were set from its ranges.
    package var hasForgedCounts: Bool { state.group.hasForgedCounts }

    package func isDecided(_ sequence: EventSequence) -> Bool { state.group.isAcknowledged(sequence) }

    /// What of a range is put and not decided.
    package func held(in range: SequenceRange) -> [SequenceRange] {
        let end = min(range.end, state.visible)
        return range.first < end ? state.group.undecided(in: SequenceRange(first: range.first, end: end)) : []
    }

    /// What became of every sequence.
    package func lossReport(_ view: LogView) -> LossReport {
        LossReport(view.report, lost: lostNow, state.group, tail: state.visible)
    }
}

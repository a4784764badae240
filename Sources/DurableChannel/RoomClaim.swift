internal import FileIO
internal import LogFormat
internal import SegmentedLog

/// What an open put transaction has claimed of the channel's room, so that its commit does not fail for want of it.
struct RoomClaim {
    enum Shortage { case bytes, events }

    private let channel: FileChannel
    /// Frame bytes of the log.
    private(set) var bytes = 0
    private(set) var events = 0
    /// What the frames of one append may have.
    let mostBytes: Int

    /// Claims grow in steps, so that not each event asks for a lock.
    private static let leastStepBytes = 16 << 10
    private static let stepEvents: UInt64 = 256

    init(_ channel: FileChannel, mostBytes: Int) {
        self.channel = channel
        self.mostBytes = mostBytes
    }

    private var ledger: PointerLedger { channel.ledger }

    func covers(_ neededBytes: Int, _ neededEvents: Int) -> Bool { neededBytes <= bytes && neededEvents <= events }

    /// Makes the claim reach to so many frame bytes and events; nil when it does, else what there is not enough of.
    mutating func reach(_ neededBytes: Int, _ neededEvents: Int) throws(ChannelError) -> Shortage? {
        if ledger.isClosed { throw .closed }
        if neededBytes > bytes, !grow(to: neededBytes) { return .bytes }
        while neededEvents > events {
            let granted = try ledger.lock.withLock { () throws(ChannelError) -> Int in
                try ledger.checkOpen()
                return try grant()
            }
            if granted == 0 { return .events }
            events += granted
        }
        return nil
    }

    private mutating func grow(to needed: Int) -> Bool {
        let doubled = max(needed, 2 * bytes)
        let least = Self.leastStepBytes
        let step = min((doubled + least - 1) / least * least, mostBytes)
        for target in [step, needed] where channel.log.changeClaim(from: bytes, to: target) {
            bytes = target
            return true
        }
        return false
    }

    /// Under the ledger's lock: claims some more events; 0 when there is no room. Far from the limit many at once, near it one
    /// by one, so that none lie idle that another transaction could have.
    private func grant() throws(ChannelError) -> Int {
        var step = Self.stepEvents
        if let capacity = ledger.state.capacityEvents {
            guard UInt64(events) < capacity else {
                throw ChannelError(
                    .transactionTooLarge,
                    "the transaction has \(events) events, all that the channel may hold; commit it first, or raise "
                        + "capacityEvents")
            }
            // With `dropOldest` the commit drops as many as are too many; those that somebody holds cannot be dropped.
            let dropsOldest = channel.configuration.whenFull == .dropOldest
            let others = dropsOldest ? ledger.state.group.inFlight.count : ledger.state.stored
            let used = others + ledger.state.claimedEvents
            guard used < capacity else { return 0 }
            if (capacity - used) / 16 < step { step = 1 }
        }
        ledger.state.claimedEvents += step
        return Int(step)
    }

    /// Hands the claim in bytes over to an append, which ends it.
    mutating func takeBytes() -> Int {
        defer { bytes = 0 }
        return bytes
    }

    /// Under the ledger's lock: the events are in the log, or never will be.
    mutating func releaseEvents() {
        ledger.state.claimedEvents -= UInt64(events)
        events = 0
    }

    /// Gives up what is left of it.
    mutating func release() {
        guard bytes > 0 || events > 0 else { return }
        if bytes > 0 { _ = channel.log.changeClaim(from: bytes, to: 0) }
        bytes = 0
        if events > 0 {
            let count = UInt64(events)
            ledger.lock.withLock { ledger.state.claimedEvents -= count }
            events = 0
        }
        channel.wakePutters()
    }
}

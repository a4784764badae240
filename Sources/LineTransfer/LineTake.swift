public import DurableChannel

/// Takes events from a channel and writes them to an output. A take is committed only when the output has all of it.
public struct LineTake {
    /// A take that was committed.
    public struct Batch: Equatable, Sendable {
        public var first: UInt64
        public var last: UInt64
        public var eventCount: Int
        /// Of the bodies.
        public var byteCount: Int
        /// How many of them carry the redelivery mark.
        public var redeliveredCount: Int
    }

    public var format: EventFormat
    /// Events in a take, at most.
    public var batchEvents: Int
    /// Events in all; nil for no limit.
    public var limit: UInt64?
    /// When the channel is empty, wait for more.
    public var follows: Bool
    /// How soon a wait ends when the caller has had enough.
    public var patience: Duration

    public init(
        format: EventFormat = .text, batchEvents: Int = 1000, limit: UInt64? = nil, follows: Bool = false,
        patience: Duration = .milliseconds(200)
    ) {
        self.format = format
        self.batchEvents = batchEvents
        self.limit = limit
        self.follows = follows
        self.patience = patience
    }

    /// Takes until the channel is empty (unless it follows), the limit is reached, or `shouldStop` says so, which is
    /// asked between takes. Blocks.
    ///
    /// - Parameter committed: called after each commit, which is durable then.
    /// - Returns: how many events were taken.
    /// - Throws: what the output and `committed` throw, and ``LineTransferError/Code/channel``. A take that was not
    ///   committed is rolled back: its events come again.
    @discardableResult
    public func run(
        from channel: FileChannel, to output: any LineOutput, shouldStop: () -> Bool = { false },
        committed: (Batch) throws(LineTransferError) -> Void = { _ in }
    ) throws(LineTransferError) -> UInt64 {
        var buffer = OutputBuffer(output)
        var renderer = EventRenderer(format)
        var count: UInt64 = 0
        while !shouldStop(), count < limit ?? .max {
            let wanted = Int(min(UInt64(batchEvents), (limit ?? .max) - count))
            var take: TakeTransaction
            do throws(ChannelError) {
                take = try channel.beginTake(maxEvents: wanted, waitingUpTo: follows ? patience : .zero)
            } catch {
                throw LineTransferError(error)
            }
            if take.isEmpty {
                if follows { continue }
                break
            }
            var batch = Batch(first: 0, last: 0, eventCount: 0, byteCount: 0, redeliveredCount: 0)
            for event in take.events {
                batch.add(event)
                try renderer.render(event, into: &buffer)
            }
            try buffer.flush()
            let bookmark = try output.prepareCommit()
            do throws(ChannelError) {
                if let bookmark { try take.setBookmark(bookmark.name, bookmark.value) }
                try take.commit()
            } catch {
                throw LineTransferError(error)
            }
            count += UInt64(batch.eventCount)
            try committed(batch)
        }
        return count
    }
}

extension LineTake.Batch {
    fileprivate mutating func add(_ event: TakenEvent) {
        let sequence = event.sequence.rawValue
        if eventCount == 0 { first = sequence }
        last = sequence
        eventCount += 1
        byteCount += event.body.count
        if event.isRedelivered { redeliveredCount += 1 }
    }
}

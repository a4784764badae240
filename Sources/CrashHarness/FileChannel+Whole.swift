package import DurableChannel

/// Whole transactions in one call, for workloads and checks.
extension FileChannel {
    /// Puts one transaction of events with these bodies.
    @discardableResult
    package func put(_ bodies: [String], bookmark: (String, String)? = nil, producer: ProducerStamp? = nil)
        throws(ChannelError) -> PutReceipt
    {
        var put = try beginPut(producer: producer)
        for body in bodies { try put.append(body: body) }
        if let bookmark { try put.setBookmark(bookmark.0, Array(bookmark.1.utf8)) }
        return try put.commit()
    }

    /// Takes up to `count` events and commits.
    package func take(_ count: Int = 1000) throws(ChannelError) -> [TakenEvent] {
        let take = try beginTake(maxEvents: count)
        let events = Array(take.events)
        try take.commit()
        return events
    }

    /// Whether put = held + taken + dropped + lost (promise P5).
    package var isBalanced: Bool { metrics.isBalanced }
}

extension ChannelMetrics {
    package var isBalanced: Bool { putEvents == heldEvents + takenEvents + droppedEvents + lostEvents }
    /// Dropped to make room.
    var overflow: UInt64 { droppedByReason[.overflow] ?? 0 }
}

extension TakenEvent {
    package var text: String { String(decoding: body, as: UTF8.self) }
}

extension [TakenEvent] {
    package var texts: [String] { map(\.text) }
    package var numbers: [UInt64] { map(\.sequence.rawValue) }
}

public import LogFormat

/// Events that will be in the channel all or not at all. Dropped without ``commit()-(_)``, it is rolled back, and nothing was
/// written.
///
/// Used by one thread at a time. What is appended is encoded at once, in memory; room for it is claimed in the channel, so
/// that committing does not fail for want of it.
public struct PutTransaction: ~Copyable, Sendable {
    let draft: PutDraft

    init(_ draft: PutDraft) { self.draft = draft }

    deinit { draft.rollback() }

    /// Appends an event. What happens when there is no room is the channel's ``ChannelConfiguration/whenFull``; with
    /// `block` this waits, also for room that this thread's other open transactions have claimed (see
    /// ``OverflowPolicy/block(_:)``). Under every policy it waits for segments that hold nothing any more and are about
    /// to go, which takes a few syncs.
    ///
    /// Throws, with the transaction unchanged and usable: `full`, `transactionTooLarge` (the whole is more than 64 MiB, or
    /// than a quarter of the capacity), `invalidEvent` (a limit of an event), `closed`. Costs one copy of the event.
    @discardableResult
    public mutating func append(_ event: Event) throws(ChannelError) -> AppendOutcome {
        try draft.append(headers: event.headers, extensions: event.extensions, body: event.body.rawSpan)
    }

    /// As ``append(_:)-(Event)``, from bytes that stand somewhere else. Events that follow each other with one and the same array of
    /// headers, not only an equal one, cost less; the transaction holds on to the last array.
    @discardableResult
    public mutating func append(headers: [EventHeader] = [], body: RawSpan) throws(ChannelError) -> AppendOutcome {
        try draft.append(headers: headers, extensions: [], body: body)
    }

    /// As ``append(_:)-(Event)``.
    @discardableResult
    public mutating func append(headers: [EventHeader] = [], body: [UInt8]) throws(ChannelError) -> AppendOutcome {
        try draft.append(headers: headers, extensions: [], body: body.rawSpan)
    }

    /// As ``append(_:)-(Event)``; the body is the text's UTF-8.
    @discardableResult
    public mutating func append(headers: [EventHeader] = [], body: String) throws(ChannelError) -> AppendOutcome {
        try draft.append(headers: headers, extensions: [], body: [UInt8](body.utf8).rawSpan)
    }

    /// Sets a bookmark that becomes durable with the events, or not at all. Setting one again replaces it. Throws
    /// `invalidBookmark` when the name is not 1 to 255 bytes of UTF-8 or the value longer than 65,536 bytes.
    public mutating func setBookmark(_ name: String, _ value: [UInt8]) throws(ChannelError) {
        try draft.setBookmark(name, value)
    }

    /// Events appended so far.
    public var eventCount: Int { draft.encoder.eventCount }

    /// Bytes that the transaction takes before compression.
    public var encodedBytes: Int { draft.encoder.encodedBytes }

    /// Makes the events durable, under the channel's durability, next to each other and in their order. Blocks for one synced
    /// write. A transaction with neither events nor bookmarks commits at once.
    ///
    /// Throws `outcomeUnknown` (it is in the log whole, or not at all; no sequences were given), `full` (the disk had no room
    /// after all; nothing was written), `invalidBookmark` (all bookmarks together are too long), `staleProducer`, `readOnly`,
    /// `closed`. The transaction is over in any case.
    @discardableResult
    public consuming func commit() throws(ChannelError) -> PutReceipt { try draft.commit() }

    /// Gives it up; nothing was written.
    public consuming func rollback() { draft.rollback() }
}

extension PutTransaction {
    /// As the blocking ``append(_:)-(Event)``; waits for room without blocking a thread. When its task is cancelled it
    /// waits no longer, as when the time is over.
    @discardableResult
    public mutating func append(_ event: Event) async throws(ChannelError) -> AppendOutcome {
        try await draft.append(event)
    }

    /// As the blocking ``commit()-(_)``, on a thread of the channel's own.
    @discardableResult
    public consuming func commit() async throws(ChannelError) -> PutReceipt {
        let draft = self.draft
        return try await draft.channel.pool.run { () throws(ChannelError) in try draft.commit() }
    }
}

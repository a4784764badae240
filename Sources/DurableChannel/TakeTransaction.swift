public import LogFormat

/// Events that are handed out, until ``commit()-(_)`` says durably that they are delivered. Dropped without it, it is rolled
/// back: its events return to their place, before newer ones, and carry the redelivery mark from then on.
///
/// Used by one thread at a time. Takes may be committed in any order.
public struct TakeTransaction: ~Copyable, Sendable {
    let draft: TakeDraft

    init(_ draft: TakeDraft) { self.draft = draft }

    deinit { draft.rollback() }

    /// The events, in order; empty when none came in time. They may be used beyond the end of the transaction.
    public var events: TakenEvents { draft.events }

    public var isEmpty: Bool { draft.events.isEmpty }

    /// Sets a bookmark that becomes durable with the take, or not at all: a sink's output file and its length, for example.
    /// Throws `invalidBookmark` when the name is not 1 to 255 bytes of UTF-8 or the value longer than 65,536 bytes. On a
    /// full channel a take with a bookmark longer than a few KiB may find no room and end with `full`.
    public mutating func setBookmark(_ name: String, _ value: [UInt8]) throws(ChannelError) {
        try draft.setBookmark(name, value)
    }

    /// The commit will count this event as dropped (dead letter) and not as taken: it could not be delivered, and was put
    /// aside by the caller. Throws `tooManyTakes` beyond 64 runs of them, `notFound` when the take does not hold it.
    ///
    /// The record of the dead letters stands behind that of what was taken: a crash between the two leaves them held, to be
    /// handed out again with the mark. Nothing is lost by it.
    public mutating func deadLetter(_ sequence: EventSequence) throws(ChannelError) {
        try draft.deadLetter(sequence)
    }

    /// Makes durable that the events are delivered; none of them is handed out again. Blocks for one synced write. An empty
    /// take without bookmarks commits at once.
    ///
    /// Throws `outcomeUnknown`, `full`, `invalidBookmark`: the events return to their place, with the mark. Throws `readOnly`:
    /// nothing can be made durable any more, and nobody is given them until the channel is opened again. Throws `closed`. The
    /// transaction is over in any case.
    public consuming func commit() throws(ChannelError) { try draft.commit() }

    /// Returns the events to their place, to be handed out again with the mark.
    public consuming func rollback() { draft.rollback() }

    /// As the blocking ``commit()-(_)``, on a thread of the channel's own.
    public consuming func commit() async throws(ChannelError) {
        let draft = self.draft
        try await draft.channel.pool.run { () throws(ChannelError) in try draft.commit() }
    }
}

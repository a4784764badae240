public import LogFormat

/// An event that a take was given. It shares the memory of the frame that it came in, the whole transaction of its put,
/// which stays as long as the event does; nothing is copied until it is asked for.
public struct TakenEvent: Sendable {
    /// The event's number: the same at each delivery, so a sink can discard a repeat by it.
    public let sequence: EventSequence
    /// It may have been handed out before, by a take that was not durably committed.
    public let isRedelivered: Bool
    /// How often it was handed out and rolled back before, as far as is known (a crash loses the last ones).
    public let deliveryCount: UInt64
    let frame: StoredFrame
    let place: EventPlace

    private var view: EventView { EventView(raw: frame.raw, place: place) }

    /// Wall-clock time of its commit, in nanoseconds since 1970. For people: nothing is ordered by it.
    public var commitTime: UInt64 { frame.commitTime }
    /// The body, as a slice of the frame's payload.
    public var body: ArraySlice<UInt8> { view.body }
    public var bodyBytes: Int { Int(place.bodyBytes) }
    /// The headers in their order, decoded anew at each call.
    public var headers: [EventHeader] { view.headers }
    public var extensions: [EventExtension] { view.extensions }
    /// A copy of all of it.
    public var event: Event { view.event }

    /// The value of a header, without decoding the others; nil when there is none with that key.
    public func header(_ key: String) -> ArraySlice<UInt8>? { view.header(key) }

    /// The body without any bookkeeping of slices.
    public func withBody<R, E: Error>(_ read: (RawSpan) throws(E) -> R) throws(E) -> R { try view.withBody(read) }
}

/// The events of a take, in the order of their sequences.
public struct TakenEvents: RandomAccessCollection, Sendable {
    /// A run of events of one frame.
    struct Piece: Sendable {
        let frame: StoredFrame
        let range: SequenceRange
        /// Events below it carry the redelivery mark.
        let markedBelow: EventSequence

        var count: Int { Int(range.count) }
    }

    private(set) var pieces: [Piece] = []
    /// Index of each piece's first event.
    private var starts: [Int] = []
    public private(set) var count = 0
    var deliveryCounts: [UInt64: UInt64] = [:]

    public var startIndex: Int { 0 }
    public var endIndex: Int { count }

    public subscript(_ index: Int) -> TakenEvent {
        precondition(index >= 0 && index < count, "index \(index) of \(count) events")
        var low = 0
        var high = starts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= index { low = middle } else { high = middle }
        }
        return event(index - starts[low], in: pieces[low])
    }

    public func makeIterator() -> Iterator { Iterator(self) }

    public struct Iterator: IteratorProtocol {
        private let events: TakenEvents
        private var piece = 0
        private var index = 0

        init(_ events: TakenEvents) { self.events = events }

        public mutating func next() -> TakenEvent? {
            while piece < events.pieces.count {
                if index < events.pieces[piece].count {
                    defer { index += 1 }
                    return events.event(index, in: events.pieces[piece])
                }
                piece += 1
                index = 0
            }
            return nil
        }
    }

    private func event(_ index: Int, in piece: Piece) -> TakenEvent {
        let sequence = piece.range.first.advanced(by: UInt64(index))
        let place = piece.frame.index.place(Int(sequence.rawValue - piece.frame.base.rawValue))
        return TakenEvent(
            sequence: sequence, isRedelivered: sequence < piece.markedBelow,
            deliveryCount: deliveryCounts.isEmpty ? 0 : deliveryCounts[sequence.rawValue] ?? 0, frame: piece.frame,
            place: place)
    }

    mutating func append(_ piece: Piece) {
        starts.append(count)
        pieces.append(piece)
        count += piece.count
    }

    /// How many of them carry the redelivery mark.
    var redelivered: UInt64 {
        pieces.reduce(0) { sum, piece in
            sum + Swift.min(piece.markedBelow, piece.range.end).distance(from: piece.range.first)
        }
    }
}

extension EventSequence {
    /// How far it is beyond `other`; 0 when it is not.
    func distance(from other: EventSequence) -> UInt64 { self > other ? rawValue - other.rawValue : 0 }
}

/// What a channel is, without a disk: a list of events, each queued or in flight.
struct ModelQueue: Sendable {
    private struct Entry: Sendable {
        var sequence: UInt64
        var isInFlight = false
    }

    /// Ascending.
    private var entries: [Entry] = []
    private(set) var next: UInt64 = 1
    private(set) var taken = 0
    private(set) var deadLetters = 0
    private(set) var dropped = 0

    init() {}

    /// After an opening that found these.
    init(_ sequences: [UInt64], next: UInt64, taken: Int, deadLetters: Int, dropped: Int) {
        entries = sequences.map { Entry(sequence: $0) }
        self.next = next
        self.taken = taken
        self.deadLetters = deadLetters
        self.dropped = dropped
    }

    var held: [UInt64] { entries.map(\.sequence) }
    var inFlight: Int { entries.count(where: \.isInFlight) }
    var available: [UInt64] { entries.filter { !$0.isInFlight }.map(\.sequence) }

    mutating func put(_ sequences: Range<UInt64>) {
        entries += sequences.map { Entry(sequence: $0) }
        next = sequences.upperBound
    }

    /// A take was given `events`, of up to `most`: the oldest that nobody had. Returns what is wrong with that.
    /// - Parameters:
    ///   - mayDrop: those that were passed over were dropped to make room.
    ///   - mayBeFewer: something kept it from having all that it could.
    mutating func take(_ most: Int, _ events: [UInt64], mayDrop: Bool, mayBeFewer: Bool) -> String? {
        let wanted = Set(events)
        if mayDrop, let last = events.last { drop { $0 < last && !wanted.contains($0) } }
        let expected = Array(available.prefix(most))
        let isRight = mayDrop || mayBeFewer ? expected.starts(with: events) : expected == events
        guard isRight else { return "a take of \(most) was given \(events), and \(expected) were next" }
        for index in entries.indices where wanted.contains(entries[index].sequence) { entries[index].isInFlight = true }
        return nil
    }

    /// Those that nobody has, by choice.
    mutating func drop(where isDropped: (UInt64) -> Bool) {
        let before = entries.count
        entries.removeAll { !$0.isInFlight && isDropped($0.sequence) }
        dropped += before - entries.count
    }

    mutating func commit(_ events: [UInt64], deadLetters letters: Int) {
        let gone = Set(events)
        entries.removeAll { gone.contains($0.sequence) }
        taken += events.count - letters
        deadLetters += letters
    }

    mutating func giveBack(_ events: [UInt64]) {
        let back = Set(events)
        for index in entries.indices where back.contains(entries[index].sequence) { entries[index].isInFlight = false }
    }
}

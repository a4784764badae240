package import LogFormat

/// What the processes that made a log have said, line by line: what they were going to do before each step, and what they
/// were told after it. Plain values, kept outside of the log; what must be found in it is judged by them.
package struct EveryBitPromises: Sendable {
    package struct Put: Sendable {
        package var count: Int
        package var bytes: Int
        /// From its receipt; nil when none was read.
        package var base: UInt64?
    }

    package struct Take: Sendable {
        package var taken: [UInt64]
        package var dead: [UInt64]
        package var isDone = false
    }

    /// By number; a client's begin at a hundred times its own (``client(of:)``).
    package private(set) var puts: [Int: Put] = [:]
    package private(set) var takes: [Int: Take] = [:]
    /// Said to have been given to a taker.
    package private(set) var handedOut: Set<UInt64> = []
    /// The last life said that its channel is closed.
    package private(set) var isClosed = false
    /// Of all lives.
    package let lines: [String]

    /// What such a process says.
    package enum Line {
        case begun
        case putting(Int, count: Int, bytes: Int)
        case put(Int, base: UInt64)
        case given([UInt64])
        case taking(Int, [UInt64], dead: [UInt64])
        case taken(Int)
        case closed

        package var text: String {
            switch self {
            case .begun: "begun"
            case .putting(let put, let count, let bytes): "putting \(put) \(count) \(bytes)"
            case .put(let put, let base): "put \(put) \(base)"
            case .given(let events): "given \(Self.list(events))"
            case .taking(let take, let events, let dead): "taking \(take) \(Self.list(events)) \(Self.list(dead))"
            case .taken(let take): "taken \(take)"
            case .closed: "closed"
            }
        }

        private static func list(_ numbers: [UInt64]) -> String {
            numbers.isEmpty ? "-" : numbers.map { "\($0)" }.joined(separator: ",")
        }
    }

    /// nil when a line says nothing that is understood: the end of the last one of a process that was killed must have been cut
    /// off by the caller.
    package init?(lines: [String]) {
        self.lines = lines
        for line in lines { guard note(line) else { return nil } }
    }

    private mutating func note(_ line: String) -> Bool {
        let words = line.split(separator: " ")
        let number = words.count > 1 ? Int(words[1]) : nil
        switch (words.first ?? "", number, words.count) {
        case ("begun", _, 1): isClosed = false
        case ("closed", _, 1): isClosed = true
        case ("putting", let put?, 4):
            guard let count = Int(words[2]), let bytes = Int(words[3]), puts[put] == nil else { return false }
            puts[put] = Put(count: count, bytes: bytes)
        case ("put", let put?, 3):
            guard let base = UInt64(words[2]), puts[put] != nil else { return false }
            puts[put]!.base = base
        case ("given", _, 2):
            guard let events = Self.list(words[1]) else { return false }
            handedOut.formUnion(events)
        case ("taking", let take?, 4):
            guard let events = Self.list(words[2]), let dead = Self.list(words[3]), takes[take] == nil else {
                return false
            }
            takes[take] = Take(taken: events, dead: dead)
        case ("taken", let take?, 2):
            guard takes[take] != nil else { return false }
            takes[take]!.isDone = true
        default: return false
        }
        return true
    }

    private static func list(_ text: Substring) -> [UInt64]? {
        if text == "-" { return [] }
        let parts = text.split(separator: ",")
        let numbers = parts.compactMap { UInt64($0) }
        return numbers.count == parts.count ? numbers : nil
    }

    // MARK: What follows from it

    /// Everything acknowledged ends before this number.
    package var acknowledgedEnd: UInt64 {
        puts.values.reduce(1) { max($0, ($1.base ?? 0) + ($1.base == nil ? 0 : UInt64($1.count))) }
    }

    /// The tag of each event that was acknowledged, by sequence.
    package var acknowledged: [UInt64: Int] {
        var tags: [UInt64: Int] = [:]
        for (number, put) in puts {
            guard let base = put.base else { continue }
            for place in 0..<put.count { tags[base + UInt64(place)] = Self.tag(number, place) }
        }
        return tags
    }

    /// Taken or given up durably: what never comes again.
    package var decided: Set<UInt64> { Set(takes.values.filter(\.isDone).flatMap { $0.taken + $0.dead }) }
    /// In a commit that had no answer yet.
    package var perhapsDecided: Set<UInt64> { Set(takes.values.filter { !$0.isDone }.flatMap { $0.taken + $0.dead }) }

    /// All events that any put may have brought there, by tag.
    package var events: [Int: Event] {
        var events: [Int: Event] = [:]
        for (number, put) in puts {
            for place in 0..<put.count {
                events[Self.tag(number, place)] = Self.event(Self.tag(number, place), bytes: put.bytes)
            }
        }
        return events
    }

    // MARK: What is put

    package static func tag(_ put: Int, _ place: Int) -> Int { put * ChannelModel.tagStride + place }
    package static func client(of number: Int) -> Int { number / 100 }

    /// Everything in an event follows from its tag and the size that its put has.
    package static func event(_ tag: Int, bytes: Int) -> Event {
        var headers = [
            EventHeader(key: "tag", value: Array("\(tag)".utf8)),
            EventHeader(key: "host", value: Array("web-\(tag % 3)".utf8)),
        ]
        // Neither text nor anything that was compressed before.
        if tag % 4 == 0 { headers.append(EventHeader(key: "trace", value: [0xFF, 0, UInt8(truncatingIfNeeded: tag)])) }
        if tag % 5 == 0 { headers.append(EventHeader(key: "nothing", value: [])) }
        return Event(headers: headers, body: body(tag, bytes: bytes))
    }

    /// Each third put says how far its client's source was.
    package static func bookmark(ofPut put: Int) -> (name: String, value: [UInt8])? {
        put % 3 == 0 ? (BookmarkName.source(client(of: put)), Array("put \(put)".utf8)) : nil
    }

    /// Each take says how far its client's sink is.
    package static func bookmark(ofTake take: Int) -> (name: String, value: [UInt8]) {
        (BookmarkName.sink(client(of: take)), Array("take \(take)".utf8))
    }
}

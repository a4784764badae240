package import CrashHarness

/// What a process that uses a channel tells the one that watches it, line by line on a pipe: each thing before it is begun, and
/// each answer when it is there. So what the watcher has read when the other is killed is never ahead of what was promised.
package enum LifeMessage: Equatable, Sendable {
    package enum Answer: String, Sendable { case done, refused, unknown }

    /// The process runs, and is going to open the channel.
    case begun
    /// It has opened it, and is going to look at what is there.
    case opened(putEvents: UInt64)
    /// Something of the log could not be read by the opening.
    case withheld
    case found([SeenEvent])
    case bookmark(name: String, value: String)
    /// That is all there was, and this is what the channel counts.
    case looked(ChannelModel.Counts)

    /// Puts are numbered over all lives.
    case put(Int, client: Int, count: Int, bytes: Int, bookmark: Bool, shared: Bool, stamped: Bool)
    /// So many of its events there was room for.
    case committing(Int, count: Int)
    /// One with an unknown outcome, once more.
    case again(Int)
    case ended(Int, Answer, base: UInt64)

    /// Takes are numbered in each life.
    case gathering(most: Int)
    case given(take: Int, most: Int, [SeenEvent])
    case taking(Int, deadLetters: Int, bookmark: Int?)
    case taken(Int, Answer)

    case setting(client: Int, value: String)
    case set(client: Int, Answer)
    case synchronizing
    case synchronized

    /// What a client was told: the code, and the words.
    case failed(code: String, String)
    /// What must not be.
    case wrong(String)

    case closing
    case closed
    /// So many storage operations the life had.
    case operations(UInt64)
}

/// An event as a process saw it. Its body is known by its length and checksum, to whoever knows what was put.
package struct SeenEvent: Equatable, Sendable {
    package var sequence: UInt64
    /// nil when it has none.
    package var tag: Int?
    package var isMarked: Bool
    package var bodyBytes: Int
    package var bodyChecksum: UInt32
}

extension SeenEvent {
    fileprivate var words: String {
        "\(sequence):\(tag.map { "\($0)" } ?? "-"):\(isMarked ? 1 : 0):\(bodyBytes):\(bodyChecksum)"
    }

    fileprivate init?(_ text: Substring) {
        let parts = text.split(separator: ":")
        guard parts.count == 5, let sequence = UInt64(parts[0]), let bytes = Int(parts[3]), let sum = UInt32(parts[4])
        else { return nil }
        self.init(
            sequence: sequence, tag: Int(parts[1]), isMarked: parts[2] == "1", bodyBytes: bytes, bodyChecksum: sum)
    }
}

extension ChannelModel.Counts {
    fileprivate var words: String {
        [put, held, taken, deadLetters, overflow, lost, unreadable].map { "\($0)" }.joined(separator: " ")
    }

    fileprivate init?(words: [UInt64]) {
        guard words.count == 7 else { return nil }
        self.init()
        (put, held, taken, deadLetters) = (words[0], words[1], words[2], words[3])
        (overflow, lost, unreadable) = (words[4], words[5], words[6])
    }
}

extension LifeMessage {
    /// Without the newline, and without one inside.
    package var line: String {
        switch self {
        case .begun: "begun"
        case .opened(let events): "opened \(events)"
        case .withheld: "withheld"
        case .found(let events): "found \(events.map(\.words).joined(separator: " "))"
        case .bookmark(let name, let value): "bookmark \(name) \(value)"
        case .looked(let counts): "looked \(counts.words)"
        case .put(let put, let client, let count, let bytes, let bookmark, let shared, let stamped):
            "put \(put) \(client) \(count) \(bytes) \(bookmark ? 1 : 0) \(shared ? 1 : 0) \(stamped ? 1 : 0)"
        case .committing(let put, let count): "committing \(put) \(count)"
        case .again(let put): "again \(put)"
        case .ended(let put, let answer, let base): "ended \(put) \(answer.rawValue) \(base)"
        case .gathering(let most): "gathering \(most)"
        case .given(let take, let most, let events):
            "given \(take) \(most) \(events.map(\.words).joined(separator: " "))"
        case .taking(let take, let letters, let client): "taking \(take) \(letters) \(client ?? -1)"
        case .taken(let take, let answer): "taken \(take) \(answer.rawValue)"
        case .setting(let client, let value): "setting \(client) \(value)"
        case .set(let client, let answer): "set \(client) \(answer.rawValue)"
        case .synchronizing: "synchronizing"
        case .synchronized: "synchronized"
        case .failed(let code, let text): "failed \(code) \(Self.oneLine(text))"
        case .wrong(let text): "wrong \(Self.oneLine(text))"
        case .closing: "closing"
        case .closed: "closed"
        case .operations(let count): "operations \(count)"
        }
    }

    private static func oneLine(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }

    /// nil when it is none: what a process that was killed wrote last may be cut off.
    package init?(_ line: Substring) {
        var words = Words(line)
        guard let verb = words.word(), let message = Self.read(String(verb), &words) else { return nil }
        self = message
    }

    private static func read(_ verb: String, _ words: inout Words) -> LifeMessage? {
        switch verb {
        case "begun": return .begun
        case "opened": return words.number().map { .opened(putEvents: $0) }
        case "withheld": return .withheld
        case "found": return words.events().map { .found($0) }
        case "bookmark":
            guard let name = words.word() else { return nil }
            return .bookmark(name: String(name), value: words.rest())
        case "looked": return words.numbers().flatMap { ChannelModel.Counts(words: $0) }.map { .looked($0) }
        case "put":
            guard let put: Int = words.number(), let client: Int = words.number(), let count: Int = words.number(),
                let bytes: Int = words.number(), let bookmark = words.flag(), let shared = words.flag(),
                let stamped = words.flag()
            else { return nil }
            return .put(
                put, client: client, count: count, bytes: bytes, bookmark: bookmark, shared: shared, stamped: stamped)
        case "committing":
            guard let put: Int = words.number(), let count: Int = words.number() else { return nil }
            return .committing(put, count: count)
        case "again": return words.number().map { .again($0) }
        case "ended":
            guard let put: Int = words.number(), let answer = words.answer(), let base: UInt64 = words.number() else {
                return nil
            }
            return .ended(put, answer, base: base)
        default: return readTake(verb, &words) ?? readRest(verb, &words)
        }
    }

    private static func readTake(_ verb: String, _ words: inout Words) -> LifeMessage? {
        switch verb {
        case "gathering": return words.number().map { .gathering(most: $0) }
        case "given":
            guard let take: Int = words.number(), let most: Int = words.number(), let events = words.events() else {
                return nil
            }
            return .given(take: take, most: most, events)
        case "taking":
            guard let take: Int = words.number(), let letters: Int = words.number(), let client: Int = words.number()
            else { return nil }
            return .taking(take, deadLetters: letters, bookmark: client < 0 ? nil : client)
        case "taken":
            guard let take: Int = words.number(), let answer = words.answer() else { return nil }
            return .taken(take, answer)
        default: return nil
        }
    }

    private static func readRest(_ verb: String, _ words: inout Words) -> LifeMessage? {
        switch verb {
        case "setting":
            guard let client: Int = words.number() else { return nil }
            return .setting(client: client, value: words.rest())
        case "set":
            guard let client: Int = words.number(), let answer = words.answer() else { return nil }
            return .set(client: client, answer)
        case "synchronizing": return .synchronizing
        case "synchronized": return .synchronized
        case "failed":
            guard let code = words.word() else { return nil }
            return .failed(code: String(code), words.rest())
        case "wrong": return .wrong(words.rest())
        case "closing": return .closing
        case "closed": return .closed
        case "operations": return words.number().map { .operations($0) }
        default: return nil
        }
    }
}

extension LifeMessage {
    /// What the bookmarks that go with a put are set to.
    static func value(ofPut put: Int, _ client: Int) -> String { "put \(put) of \(client)" }
    /// What the bookmark that goes with a take is set to.
    static func value(ofTake take: Int, life: Int) -> String { "take \(take) of life \(life)" }
}

/// The words of a line, one after the other.
private struct Words {
    private var text: Substring

    init(_ text: Substring) { self.text = text }

    mutating func word() -> Substring? {
        guard !text.isEmpty else { return nil }
        let end = text.firstIndex(of: " ") ?? text.endIndex
        defer { text = end == text.endIndex ? "" : text[text.index(after: end)...] }
        return text[..<end]
    }

    mutating func number<N: FixedWidthInteger>() -> N? { word().flatMap { N($0) } }
    mutating func flag() -> Bool? { word().map { $0 == "1" } }
    mutating func answer() -> LifeMessage.Answer? { word().flatMap { LifeMessage.Answer(rawValue: String($0)) } }
    mutating func rest() -> String {
        defer { text = "" }
        return String(text)
    }

    mutating func numbers() -> [UInt64]? {
        let words = rest().split(separator: " ")
        let numbers = words.compactMap { UInt64($0) }
        return numbers.count == words.count ? numbers : nil
    }

    mutating func events() -> [SeenEvent]? {
        let words = rest().split(separator: " ")
        let events = words.compactMap { SeenEvent($0) }
        return events.count == words.count ? events : nil
    }
}

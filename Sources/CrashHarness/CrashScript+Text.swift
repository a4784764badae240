internal import DurableChannel
internal import SimulatedFileIO

extension CrashScript {
    private static let firstLine = "sluice crash script 1"

    /// As a file has it: one thing per line, indented for the eye. ``init(parsing:)`` reads it again.
    public var text: String {
        var lines = [Self.firstLine, "name \(name)", "seed \(seed)", "disk \(disk.words)", "channel \(channel.words)"]
        for life in lives {
            lines.append("life")
            lines += life.damage.map { "  damage \($0.kind.rawValue) \($0.seed)" }
            lines += life.faults.map { "  fault \($0.words)" }
            for phase in life.phases {
                lines.append(phase.settles ? "  phase settles" : "  phase")
                for client in phase.clients { lines += ["    client"] + client.map { "      \($0.words)" } }
            }
            lines.append("  end \(life.ending.words)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// - Throws: ``ScriptError``, with the line and what is wrong with it.
    public init(parsing text: String) throws(ScriptError) {
        var parser = ScriptParser()
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.first.map({ $0 == Self.firstLine }) == true else {
            throw ScriptError(line: 1, message: "a script begins with '\(Self.firstLine)'")
        }
        for (index, line) in lines.enumerated().dropFirst() {
            let words = line.split(separator: " ").map(String.init)
            guard let verb = words.first, !verb.hasPrefix("#") else { continue }
            do throws(ScriptWordError) {
                var rest = ScriptWords(Array(words.dropFirst()))
                try parser.take(verb, &rest)
                try rest.end()
            } catch {
                throw ScriptError(line: index + 1, message: error.message)
            }
        }
        self = parser.script
    }
}

/// A script that cannot be read.
public struct ScriptError: Error, CustomStringConvertible {
    public var line: Int
    public var message: String

    public var description: String { "line \(line): \(message)" }
}

struct ScriptWordError: Error {
    var message: String
}

/// The words of a line, from the left.
struct ScriptWords {
    private var words: ArraySlice<String>

    init(_ words: [String]) { self.words = words[...] }

    mutating func word(_ what: String) throws(ScriptWordError) -> String {
        guard let word = words.popFirst() else { throw ScriptWordError(message: "\(what) is missing") }
        return word
    }

    mutating func number<N: FixedWidthInteger>(
        _ what: String, in range: ClosedRange<N> = 0...N.max
    ) throws(ScriptWordError) -> N {
        let word = try word(what)
        guard let number = N(word), range.contains(number) else {
            throw ScriptWordError(
                message: "\(what) is '\(word)'; a number from \(range.lowerBound) to \(range.upperBound) is wanted")
        }
        return number
    }

    /// Whether the next word is this one; then it is taken.
    mutating func has(_ flag: String) -> Bool {
        guard words.first == flag else { return false }
        words.removeFirst()
        return true
    }

    func end() throws(ScriptWordError) {
        if let word = words.first { throw ScriptWordError(message: "'\(word)' is one word too many") }
    }
}

private struct ScriptParser {
    var script = CrashScript(name: "", seed: 0, lives: [])
    private static let mostLines = 1 << 20

    mutating func take(_ verb: String, _ words: inout ScriptWords) throws(ScriptWordError) {
        switch verb {
        case "name": script.name = try words.word("the name")
        case "seed": script.seed = try words.number("the seed")
        case "disk": script.disk = try CrashScript.Disk(&words)
        case "channel": script.channel = try CrashScript.Channel(&words)
        case "life": script.lives.append(CrashScript.Life())
        default: try takePart(of: verb, &words)
        }
    }

    private mutating func takePart(of verb: String, _ words: inout ScriptWords) throws(ScriptWordError) {
        guard let life = script.lives.indices.last else {
            throw ScriptWordError(
                message: "'\(verb)' stands before the first 'life', or is nothing that a script knows")
        }
        switch verb {
        case "damage": script.lives[life].damage.append(try CrashScript.Damage(&words))
        case "fault": script.lives[life].faults.append(try CrashScript.Failure(&words))
        case "phase": script.lives[life].phases.append(CrashScript.Phase([], settles: words.has("settles")))
        case "end": script.lives[life].ending = try CrashScript.Ending(&words)
        default:
            guard let phase = script.lives[life].phases.indices.last else {
                throw ScriptWordError(message: "'\(verb)' stands before the first 'phase' of its life")
            }
            if verb == "client" { return script.lives[life].phases[phase].clients.append([]) }
            guard let client = script.lives[life].phases[phase].clients.indices.last else {
                throw ScriptWordError(message: "'\(verb)' stands before the first 'client' of its phase")
            }
            script.lives[life].phases[phase].clients[client].append(try CrashScript.Step(verb, &words))
        }
    }
}

extension CrashScript.Disk {
    fileprivate var words: String {
        var words = "sector \(sectorBytes) block \(blockBytes)"
        if tearsInsideSectors { words += " torn" }
        if renamesCanLeaveBothNames { words += " bothNames" }
        if !supportsDirectWrites { words += " notDirect" }
        if liesAboutSync { words += " lying" }
        return words
    }

    fileprivate init(_ words: inout ScriptWords) throws(ScriptWordError) {
        func size(_ name: String) throws(ScriptWordError) -> Int {
            guard words.has(name) else { throw ScriptWordError(message: "'\(name)' is missing") }
            let size: Int = try words.number(name, in: 512...4096)
            guard size == 512 || size == 4096 else { throw ScriptWordError(message: "\(name) is 512 or 4096") }
            return size
        }
        sectorBytes = try size("sector")
        blockBytes = try size("block")
        tearsInsideSectors = words.has("torn")
        renamesCanLeaveBothNames = words.has("bothNames")
        supportsDirectWrites = !words.has("notDirect")
        liesAboutSync = words.has("lying")
    }
}

extension CrashScript.Channel {
    fileprivate var words: String {
        var words =
            "capacity \(capacityBytes) segment \(segmentBytes) snapshot \(snapshotLimitBytes) groups \(groupsInFlight) "
            + "lease \(leaseStep) cache \(tailCacheBytes) checkpoint \(checkpointIntervalBytes) full \(whenFull.words)"
        if let capacityEvents { words += " events \(capacityEvents)" }
        if let blockBytes { words += " block \(blockBytes)" }
        if compresses { words += " lz4" }
        if writesThenSyncs { words += " writeThenSync" }
        if durability != .commit { words += " durability \(durability)" }
        return words
    }

    fileprivate init(_ words: inout ScriptWords) throws(ScriptWordError) {
        func number<N: FixedWidthInteger>(_ name: String, in range: ClosedRange<N>) throws(ScriptWordError) -> N {
            guard words.has(name) else { throw ScriptWordError(message: "'\(name)' is missing") }
            return try words.number(name, in: range)
        }
        capacityBytes = try number("capacity", in: 1...1 << 32)
        segmentBytes = try number("segment", in: 4096...1 << 28)
        snapshotLimitBytes = try number("snapshot", in: 1...1 << 24)
        groupsInFlight = try number("groups", in: 1...64)
        leaseStep = try number("lease", in: 1...1 << 40)
        tailCacheBytes = try number("cache", in: 0...1 << 30)
        checkpointIntervalBytes = try number("checkpoint", in: 1...1 << 40)
        guard words.has("full") else { throw ScriptWordError(message: "'full' is missing") }
        whenFull = try OverflowPolicy(&words)
        if words.has("events") { capacityEvents = try words.number("events", in: 1...1 << 40) }
        if words.has("block") { blockBytes = try words.number("block", in: 512...4096) }
        compresses = words.has("lz4")
        writesThenSyncs = words.has("writeThenSync")
        guard words.has("durability") else { return }
        let word = try words.word("the durability")
        guard let mode = DurabilityMode.allCases.first(where: { "\($0)" == word }) else {
            throw ScriptWordError(message: "'\(word)' is no durability")
        }
        durability = mode
    }
}

extension OverflowPolicy {
    fileprivate var words: String {
        switch self {
        case .block(let limit):
            limit.map { "block \($0.components.seconds * 1000 + $0.components.attoseconds / 1_000_000_000_000_000)" }
                ?? "block"
        case .reject: "reject"
        case .dropOldest: "dropOldest"
        case .dropNewest: "dropNewest"
        }
    }

    fileprivate init(_ words: inout ScriptWords) throws(ScriptWordError) {
        let word = try words.word("what happens when it is full")
        switch word {
        case "block": self = .block(.milliseconds(try words.number("milliseconds", in: 0...1 << 40) as Int))
        case "reject": self = .reject
        case "dropOldest": self = .dropOldest
        case "dropNewest": self = .dropNewest
        default: throw ScriptWordError(message: "'\(word)' is nothing that happens when a channel is full")
        }
    }
}

extension CrashScript.Failure {
    fileprivate var words: String {
        "\(operation.rawValue) errno \(errno) skip \(skipping) count \(count) leaves \(leaves.rawValue) "
            + "delay \(delayMilliseconds)"
    }

    fileprivate init(_ words: inout ScriptWords) throws(ScriptWordError) {
        func number<N: FixedWidthInteger>(_ name: String, in range: ClosedRange<N>) throws(ScriptWordError) -> N {
            guard words.has(name) else { throw ScriptWordError(message: "'\(name)' is missing") }
            return try words.number(name, in: range)
        }
        let word = try words.word("the operation")
        guard let operation = SimulatedOperation(rawValue: word) else {
            throw ScriptWordError(message: "'\(word)' is no operation of a disk")
        }
        self.init(operation, errno: try number("errno", in: 0...4095))
        skipping = try number("skip", in: 0...1 << 40)
        count = try number("count", in: 1...Int.max)
        guard words.has("leaves") else { throw ScriptWordError(message: "'leaves' is missing") }
        let left = try words.word("what it leaves")
        guard let leaves = Leaves(rawValue: left) else {
            throw ScriptWordError(message: "'\(left)' is nothing that a failure leaves")
        }
        self.leaves = leaves
        delayMilliseconds = try number("delay", in: 0...1 << 30)
    }
}

extension CrashScript.Damage {
    fileprivate init(_ words: inout ScriptWords) throws(ScriptWordError) {
        let word = try words.word("the kind of damage")
        guard let kind = Kind(rawValue: word) else { throw ScriptWordError(message: "'\(word)' is no damage") }
        self.init(kind, seed: try words.number("the seed"))
    }
}

extension CrashScript.Ending {
    fileprivate var words: String {
        guard case .cut(let cut) = self else { return "close" }
        let keeping =
            switch cut.keeping {
            case .everything: "everything"
            case .nothing: "nothing"
            case .legal(let number): "legal \(number)"
            case .random(let seed): "random \(seed)"
            }
        return "\(cut.isKill ? "kill" : "power") \(cut.operation) \(keeping)"
    }

    fileprivate init(_ words: inout ScriptWords) throws(ScriptWordError) {
        let kind = try words.word("how it ends")
        guard kind != "close" else {
            self = .close
            return
        }
        guard kind == "kill" || kind == "power" else {
            throw ScriptWordError(message: "a life ends with close, kill or power, not with '\(kind)'")
        }
        let operation: Int = try words.number("the operation")
        let word = try words.word("what is kept")
        let keeping: CrashScript.Keeping
        switch word {
        case "everything": keeping = .everything
        case "nothing": keeping = .nothing
        case "legal": keeping = .legal(try words.number("the choice", in: 0...1 << 20))
        case "random": keeping = .random(seed: try words.number("the seed"))
        default: throw ScriptWordError(message: "'\(word)' is nothing that can be kept")
        }
        self = .cut(CrashScript.Cut(operation: operation, isKill: kind == "kill", keeping: keeping))
    }
}

extension CrashScript.Step {
    fileprivate var words: String {
        func flags(_ flags: [(Bool, String)]) -> String { flags.filter(\.0).map { " \($0.1)" }.joined() }
        return switch self {
        case .put(let count, let bytes, let bookmark, let shared, let stamped):
            "put \(count) \(bytes)"
                + flags([(bookmark, "bookmark"), (shared, "shared"), (stamped, "stamped")])
        case .fill(let count, let bytes): "fill \(count) \(bytes)"
        case .retry: "retry"
        case .repeatLast: "repeat"
        case .take(let count, let wait): "take \(count) \(wait)"
        case .commit(let take, let deadLetters, let bookmark):
            "commit \(take) \(deadLetters)" + flags([(bookmark, "bookmark")])
        case .rollback(let take): "rollback \(take)"
        case .drain(let count): "drain \(count)"
        case .bookmark: "bookmark"
        case .checkpoint: "checkpoint"
        case .synchronize: "synchronize"
        case .resizeBytes(let bytes): "resize \(bytes)"
        case .resizeEvents(let events): "events \(events.map(String.init) ?? "any")"
        case .jump(let milliseconds): "jump \(milliseconds)"
        case .intrude: "intrude"
        case .yield: "yield"
        case .sleep(let milliseconds): "sleep \(milliseconds)"
        }
    }

    fileprivate init(_ verb: String, _ words: inout ScriptWords) throws(ScriptWordError) {
        // What a script may ask for is bounded: a slip of the pen must not take all memory.
        let counts = 1...CrashScript.mostEvents
        let sizes = 0...CrashScript.mostBytes
        let times = 0...86_400_000
        switch verb {
        case "put":
            self = .put(
                count: try words.number("events", in: counts), bytes: try words.number("bytes", in: sizes),
                bookmark: words.has("bookmark"), shared: words.has("shared"), stamped: words.has("stamped"))
        case "fill":
            self = .fill(count: try words.number("events", in: counts), bytes: try words.number("bytes", in: sizes))
        case "retry": self = .retry
        case "repeat": self = .repeatLast
        case "take":
            self = .take(
                count: try words.number("events", in: counts), waitMilliseconds: try words.number("time", in: times))
        case "commit":
            self = .commit(
                take: try words.number("the take"), deadLetters: try words.number("dead letters"),
                bookmark: words.has("bookmark"))
        case "rollback": self = .rollback(take: try words.number("the take"))
        case "drain": self = .drain(count: try words.number("events", in: counts))
        case "bookmark": self = .bookmark
        case "checkpoint": self = .checkpoint
        case "synchronize": self = .synchronize
        case "resize": self = .resizeBytes(try words.number("bytes", in: 1...1 << 32))
        case "events": self = .resizeEvents(words.has("any") ? nil : try words.number("events", in: 1...1 << 40))
        case "jump": self = .jump(milliseconds: try words.number("time", in: -86_400_000...86_400_000))
        case "intrude": self = .intrude
        case "yield": self = .yield
        case "sleep": self = .sleep(milliseconds: try words.number("time", in: times))
        default: throw ScriptWordError(message: "'\(verb)' is nothing that a client does")
        }
    }
}

extension CrashScript {
    /// Of one transaction: the tag of an event has room for so many.
    static let mostEvents = ChannelModel.tagStride - 1
    static let mostBytes = 1 << 20
}

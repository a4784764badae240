import LogFormat

/// What stands in the events.
enum Bodies: Sendable {
    /// So many random bytes each: nothing that could be compressed.
    case random(Int)
    /// Real lines, in the order of their file, and again from the front.
    case lines([[UInt8]])
    /// Made documents, as structured logs have them.
    case documents([[UInt8]])

    init(_ options: Options) throws(BenchmarkError) {
        guard let path = options.linesPath else {
            self = .random(options.bodyBytes)
            return
        }
        try self.init(linesOf: path)
    }

    init(linesOf path: String) throws(BenchmarkError) {
        let lines = try contents(ofFile: path).split(separator: UInt8(ascii: "\n")).map(Array.init)
        guard !lines.isEmpty else { throw BenchmarkError("\(path) has no lines to put") }
        self = .lines(lines)
    }

    /// Random bytes would only cost the attempt.
    var compression: Compression {
        switch self {
        case .random: .none
        case .lines, .documents: .lz4
        }
    }

    /// `512 B`, `lines of 236 B`.
    var name: String {
        switch self {
        case .random(let bytes): "\(bytes) B"
        case .lines(let lines): "lines of \(Self.mean(lines)) B"
        case .documents(let documents): "JSON of \(Self.mean(documents)) B"
        }
    }

    /// What is put, for the head of a report.
    var title: String { "events of \(name) with two headers, \(compression == .lz4 ? "LZ4" : "not compressed")" }

    /// The bars of ENGINE.md are for random bodies of 512 B, or for lines.
    var isRandomOfBars: Bool { if case .random(512) = self { true } else { false } }
    var isLines: Bool { if case .lines = self { true } else { false } }

    private static func mean(_ bodies: [[UInt8]]) -> Int { bodies.reduce(0) { $0 + $1.count } / bodies.count }

    /// The mean.
    var bytes: Int {
        switch self {
        case .random(let bytes): bytes
        case .lines(let bodies), .documents(let bodies): Self.mean(bodies)
        }
    }

    /// How many batches each thread uses in turn: all lines; of random bodies a few, within 256 MiB.
    func batches(ofEach threads: Int, events: Int) -> Int {
        switch self {
        case .random(let bytes): min(8, max(1, (256 << 20) / (threads * events * bytes)))
        case .lines(let bodies), .documents(let bodies):
            (bodies.count + threads * events - 1) / (threads * events)
        }
    }

    func body(_ index: Int, _ random: inout SystemRandomNumberGenerator) -> [UInt8] {
        switch self {
        case .lines(let bodies), .documents(let bodies): return bodies[index % bodies.count]
        case .random(let bytes):
            // Eight at a time: ten million of them are made for `ready`.
            var body = [UInt8]()
            body.reserveCapacity(bytes + 8)
            while body.count < bytes {
                var word = random.next() as UInt64
                for _ in 0..<8 {
                    body.append(UInt8(truncatingIfNeeded: word))
                    word >>= 8
                }
            }
            body.removeLast(body.count - bytes)
            return body
        }
    }
}

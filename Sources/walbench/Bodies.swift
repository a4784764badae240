import LogFormat

/// What stands in the events.
enum Bodies: Sendable {
    /// So many random bytes each: nothing that could be compressed.
    case random(Int)
    /// Real lines, in the order of their file, and again from the front.
    case lines([[UInt8]])

    init(_ options: Options) throws(BenchmarkError) {
        guard let path = options.linesPath else {
            self = .random(options.bodyBytes)
            return
        }
        let lines = try contents(ofFile: path).split(separator: UInt8(ascii: "\n")).map(Array.init)
        guard !lines.isEmpty else { throw BenchmarkError("\(path) has no lines to put") }
        self = .lines(lines)
    }

    /// Random bytes would only cost the attempt.
    var compression: Compression {
        switch self {
        case .random: .none
        case .lines: .lz4
        }
    }

    /// `512 B`, `lines of 236 B`.
    var name: String {
        switch self {
        case .random(let bytes): "\(bytes) B"
        case .lines(let lines): "lines of \(lines.reduce(0) { $0 + $1.count } / lines.count) B"
        }
    }

    /// The bars of ENGINE.md are for random bodies of 512 B, or for lines.
    var isRandomOfBars: Bool { if case .random(512) = self { true } else { false } }
    var isLines: Bool { if case .lines = self { true } else { false } }

    /// How many batches each thread uses in turn: all lines; of random bodies a few.
    func batches(ofEach threads: Int, events: Int) -> Int {
        switch self {
        case .random: 8
        case .lines(let lines): (lines.count + threads * events - 1) / (threads * events)
        }
    }

    func body(_ index: Int, _ random: inout SystemRandomNumberGenerator) -> [UInt8] {
        switch self {
        case .lines(let lines): return lines[index % lines.count]
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

/// Lines that are to be put together.
public struct LineBatch: Sendable {
    /// When a batch is full. The first line always fits.
    public struct Limits: Equatable, Sendable {
        public var lines: Int
        /// Over all lines: their bytes, and `bytesPerLine` for each.
        public var bytes: Int
        /// What an event takes beside its body.
        public var bytesPerLine: Int

        public init(lines: Int, bytes: Int = .max, bytesPerLine: Int = 0) {
            precondition(lines > 0 && bytes > 0 && bytesPerLine >= 0, "a batch holds at least one line")
            self.lines = lines
            self.bytes = bytes
            self.bytesPerLine = bytesPerLine
        }
    }

    public let limits: Limits
    public private(set) var runs: [LineRun] = []
    public private(set) var lineCount = 0
    /// As ``Limits/bytes`` counts them.
    public private(set) var byteCount = 0

    public init(_ limits: Limits) {
        self.limits = limits
    }

    public var isEmpty: Bool { lineCount == 0 }

    /// Whether a line of so many bytes still fits behind `lines` more that take `bytes`.
    func admits(_ length: Int, behind lines: Int, _ bytes: Int) -> Bool {
        if lineCount + lines == 0 { return true }
        return lineCount + lines < limits.lines && cost(length) <= limits.bytes - byteCount - bytes
    }

    /// What a line of so many bytes takes.
    func cost(_ length: Int) -> Int { length + limits.bytesPerLine }

    mutating func append(_ run: LineRun, bytes: Int) {
        runs.append(run)
        lineCount += run.count
        byteCount += bytes
    }
}

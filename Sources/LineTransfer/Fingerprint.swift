internal import DurableChannel

/// By what a run of bytes of a file is known again: how many, and a hash of them.
struct Fingerprint: Equatable, Sendable {
    /// So many bytes are covered at most. The beginning of a log file with a time in it differs from that of any other;
    /// reading and hashing them costs a few microseconds.
    static let maximumBytes = 256

    let byteCount: Int
    /// The first 8 bytes of SHA-256, the first one highest.
    let hash: UInt64

    static let nothing = Fingerprint(of: [])

    init(byteCount: Int, hash: UInt64) {
        self.byteCount = byteCount
        self.hash = hash
    }

    init(of bytes: RawSpan) {
        let words = SHA256.words(of: bytes)
        byteCount = bytes.byteCount
        hash = UInt64(words[0]) << 32 | UInt64(words[1])
    }

    init(of bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        self.init(of: unsafe bytes.span.bytes)
    }
}

/// The first bytes of a file, as far as a fingerprint wants them, gathered while the file is read or written.
struct FileHead: Equatable, Sendable {
    private var bytes: [UInt8]
    /// Of all of them, once they are complete.
    private var complete: Fingerprint?

    /// - Parameter bytes: the beginning of the file; what is too much is left out.
    init(_ bytes: [UInt8]) {
        self.bytes = Array(bytes.prefix(Fingerprint.maximumBytes))
        completeIfFull()
    }

    /// Takes note of bytes that stand at `offset`, which is not behind a gap.
    mutating func note(_ span: RawSpan, at offset: UInt64) {
        guard complete == nil, offset <= UInt64(bytes.count) else { return }
        let known = bytes.count - Int(offset)
        let wanted = min(span.byteCount, Fingerprint.maximumBytes - Int(offset))
        guard known < wanted else { return }
        for index in known..<wanted { bytes.append(unsafe span.unsafeLoad(fromByteOffset: index, as: UInt8.self)) }
        completeIfFull()
    }

    /// Of the beginning of the file, before `offset`.
    func fingerprint(before offset: UInt64) -> Fingerprint {
        if let complete, offset >= UInt64(Fingerprint.maximumBytes) { return complete }
        return Fingerprint(of: bytes.prefix(Int(clamping: offset)))
    }

    private mutating func completeIfFull() {
        if bytes.count == Fingerprint.maximumBytes { complete = Fingerprint(of: bytes) }
    }
}

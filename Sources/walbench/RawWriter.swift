import FileIO

/// Blocks of one size, one after the other, by one thread, each durable before the next: what the disk does when there
/// is nothing above it.
final class RawWriter: @unchecked Sendable {
    let method: WriteMethod
    private let file: any StorageFile
    private let isGrowing: Bool
    private var offset: UInt64 = 0

    /// A growing file begins again when it has so many bytes.
    private static let growingBytes: UInt64 = 1 << 30

    var name: String {
        switch method {
        case .writeThenSync: "growing + fdatasync"
        case .synced: "pre-written + O_DSYNC"
        case .directSynced: "pre-written + O_DIRECT|O_DSYNC"
        }
    }

    /// A writer for each method that the file system has: the two synced ones over pre-written files.
    static func all(in workplace: Workplace) throws -> [RawWriter] {
        try [WriteMethod.directSynced, .synced, .writeThenSync].compactMap { method in
            let isGrowing = method == .writeThenSync
            let name = "raw-\(method)"
            let file =
                isGrowing ? try workplace.makeFile(name, method) : try workplace.makePrewrittenFile(name, method)
            return file.map { RawWriter($0, isGrowing: isGrowing) }
        }
    }

    private init(_ file: any StorageFile, isGrowing: Bool) {
        self.file = file
        self.isGrowing = isGrowing
        method = file.writeMethod
    }

    func measure(blockBytes: Int, for nanoseconds: UInt64) throws -> Measurement {
        if isGrowing { try beginAgain() }
        let buffer = AlignedBuffer(byteCount: blockBytes)
        var random = SystemRandomNumberGenerator()
        buffer.copy(from: (0..<blockBytes).map { _ in UInt8.random(in: 0...255, using: &random) }, at: 0)
        return try Measurement(threads: 1, for: nanoseconds) { [self] _, _, _ in try write(buffer, blockBytes) }
    }

    private func write(_ buffer: AlignedBuffer, _ count: Int) throws(FileError) {
        let limit = isGrowing ? Self.growingBytes : Workplace.fileBytes
        if offset + UInt64(count) > limit { try beginAgain() }
        let outcome = WriteOutcome()
        file.submitWrite(buffer, count: count, at: offset) { outcome.error = $0 }
        if let error = outcome.error { throw error }
        offset += UInt64(count)
    }

    private func beginAgain() throws(FileError) {
        offset = 0
        guard isGrowing else { return }
        try file.truncate(to: 0)
        try file.synchronize()
    }
}

/// On Linux the calling thread does the write, so that the outcome is there when `submitWrite` returns.
final class WriteOutcome: @unchecked Sendable {
    var error: FileError?
}

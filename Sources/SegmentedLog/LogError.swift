public import FileIO
public import LogFormat

/// Why an operation on a log failed: what happened, where, and what to do about it.
public struct LogError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// The configuration cannot work. Nothing was touched.
        case configuration
        /// The directory is not a log, and a log cannot be made there.
        case notALog
        /// Another opening holds the log's lock.
        case inUse
        /// Written by a newer version, or with a feature that this one does not know. Nothing was touched.
        case newerVersion
        /// Proven damage, under ``DamagePolicy/strict``; or no readable identity at all.
        case damaged
        /// No room for another segment. The append was not written; it may be tried again when there is room.
        case full
        /// The append can never fit.
        case tooLarge
        /// A write failed: the append may be in the log, whole, or not at all. It must not be reported as done, and
        /// trying it again may double it.
        case outcomeUnknown
        /// Two failed writes in a row: nothing can be written until the log is opened again. Reading goes on.
        case readOnly
        /// The log was closed.
        case closed
        /// A file operation failed and nothing was changed by it.
        case fileOperation
        /// What was asked for is not in the log (any more).
        case notFound
    }

    public var code: Code
    /// What happened, where, and what to do.
    public var message: String
    public var lsn: LSN?
    public var fileError: FileError?

    public init(_ code: Code, _ message: String, lsn: LSN? = nil, fileError: FileError? = nil) {
        self.code = code
        self.message = message
        self.lsn = lsn
        self.fileError = fileError
    }

    public var description: String {
        var text = message
        if let lsn { text += " [at \(lsn)]" }
        if let fileError { text += ": \(fileError)" }
        return text
    }

    static func configuration(_ message: String) -> LogError { LogError(.configuration, message) }

    static func file(_ error: FileError, _ message: String) -> LogError {
        LogError(.fileOperation, message, fileError: error)
    }
}

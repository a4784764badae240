public import FileIO
public import LogFormat
package import SegmentedLog

/// Why an operation on a channel failed: what happened, where, and what to do about it.
public struct ChannelError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// The configuration cannot work. Nothing was touched.
        case configuration
        /// The directory is not a channel, and a channel cannot be made there.
        case notAChannel
        /// Another opening holds the channel's lock.
        case inUse
        /// Written by a newer version, or with a feature that this one does not know. Nothing was touched.
        case newerVersion
        /// Proven damage, under ``DamagePolicy/strict``; or no readable identity at all.
        case damaged
        /// No room for the event, or, at commit, on the disk. Nothing was written. From `append` the transaction stays
        /// usable.
        case full
        /// The transaction can never fit.
        case transactionTooLarge
        /// The event is outside of the format's limits.
        case invalidEvent
        /// The bookmark is outside of the limits.
        case invalidBookmark
        /// As many takes as the channel can keep account of are open, or the ranges between them are too many.
        case tooManyTakes
        /// A write failed: the transaction may be in the log, whole, or not at all. A put must not be reported as done;
        /// putting it again may double it, unless it carries a ``ProducerStamp``. The events of a take are handed out again.
        case outcomeUnknown
        /// Two failed writes in a row: nothing can be committed until the channel is opened again.
        case readOnly
        /// The channel was closed.
        case closed
        /// This producer has committed a later sequence already; the receipt of this one is not kept any more.
        case staleProducer
        /// A file operation failed and nothing was changed by it.
        case fileOperation
        /// What was asked for is not there (any more).
        case notFound
        /// The interface has room for it, this version does not do it.
        case unsupported
    }

    public var code: Code
    /// What happened, where, and what to do.
    public var message: String
    public var lsn: LSN?
    /// The failed system call with its errno, if there was one.
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

    package init(_ error: LogError) {
        self.init(Code(error.code), error.message, lsn: error.lsn, fileError: error.fileError)
    }

    static let closed = ChannelError(.closed, "the channel is closed")
}

extension ChannelError.Code {
    init(_ code: LogError.Code) {
        switch code {
        case .configuration: self = .configuration
        case .notALog: self = .notAChannel
        case .inUse: self = .inUse
        case .newerVersion: self = .newerVersion
        case .damaged: self = .damaged
        case .full: self = .full
        case .tooLarge: self = .transactionTooLarge
        case .outcomeUnknown: self = .outcomeUnknown
        case .readOnly: self = .readOnly
        case .closed: self = .closed
        case .fileOperation: self = .fileOperation
        case .notFound: self = .notFound
        }
    }
}

/// Runs a call of the log and passes its error on as the channel's.
func channelCall<R>(_ body: () throws(LogError) -> R) throws(ChannelError) -> R {
    do throws(LogError) { return try body() } catch { throw ChannelError(error) }
}

public import DurableChannel

/// Why lines could not be carried on: what happened, where, and what to do about it.
public struct LineTransferError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// A line is longer than an event may be. Nothing of it was put; what stands before it may be put all the same.
        case lineTooLong
        /// A bookmark's bytes are not one that this version understands. Nothing was touched.
        case invalidBookmark
        /// The file that a bookmark speaks of is not there. Nothing was touched.
        case missingFile
        /// The file is shorter than its bookmark says. Nothing was touched.
        case shorterFile
        /// Another file stands under the name. Nothing was touched.
        case otherFile
        /// An operation on a file failed.
        case fileOperation
        /// The reader of the output has gone. Nothing that it did not get was committed.
        case outputClosed
        /// The caller had enough while the channel was full. What was not acknowledged was not put.
        case stopped
        /// The channel refused; ``LineTransferError/channelError`` says why.
        case channel
    }

    public var code: Code
    /// What happened, where, and what to do.
    public var message: String
    public var fileError: FileError?
    public var channelError: ChannelError?

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// - Parameter purpose: what was being done, with the file's part in it ("reading the lines of").
    public init(_ purpose: String, _ error: FileError) {
        self.init(.fileOperation, "\(purpose) failed: \(error)")
        fileError = error
    }

    public init(_ error: ChannelError) {
        self.init(.channel, "\(error)")
        channelError = error
        fileError = error.fileError
    }

    public var description: String { message }
}

/// Runs a call of the channel and passes its error on.
func channelCall<R>(_ body: () throws(ChannelError) -> R) throws(LineTransferError) -> R {
    do throws(ChannelError) { return try body() } catch { throw LineTransferError(error) }
}

/// Runs an operation on a file and passes its error on.
func fileCall<R>(_ purpose: String, _ body: () throws(FileError) -> R) throws(LineTransferError) -> R {
    do throws(FileError) { return try body() } catch { throw LineTransferError(purpose, error) }
}

internal import DurableChannel

/// The names under which bookmarks of files stand in a channel: what it is for, a colon, and the file's path. A name
/// has 255 bytes of UTF-8 at most; a path that does not fit, or is no UTF-8, is named by its SHA-256. A path begins
/// with a slash, so no path reads like such a name.
public enum BookmarkName {
    /// Of a source of lines.
    ///
    /// - Parameter path: absolute.
    public static func source(_ path: some Collection<UInt8>) -> String { name("lines-from:", Array(path)) }

    /// Of a sink. No source has a name like this.
    ///
    /// - Parameter path: absolute, with no link in it: two names of one output would cut off each other's events.
    public static func sink(_ path: some Collection<UInt8>) -> String { name("lines-into:", Array(path)) }

    private static func name(_ prefix: String, _ path: [UInt8]) -> String {
        if prefix.utf8.count + path.count <= FormatConstants.maximumNameBytes,
            let text = String(validating: path, as: UTF8.self)
        {
            return prefix + text
        }
        return "\(prefix)sha256:\(SHA256.hexadecimal(of: unsafe path.span.bytes))"
    }
}

internal import LogFormat

extension FramePayload {
    /// A frame of the log's own. Its records are within the format's limits by construction, so one that cannot be encoded
    /// is a mistake in the program.
    static func own(
        _ type: FrameType, _ encode: () throws(FormatError) -> [UInt8] = { () throws(FormatError) in [] }
    ) -> FramePayload {
        do throws(FormatError) {
            return try FramePayload(type: type, raw: try encode())
        } catch {
            preconditionFailure("a \(type) frame of the log's own cannot be made: \(error)")
        }
    }
}

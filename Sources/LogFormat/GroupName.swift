// The name of a consumer group, as records carry it: UTF-8, its length stated elsewhere.

extension ReadCursor {
    /// The length of a name as the record states it, checked against what the record allows.
    func nameBytes(_ stated: UInt16, in limits: ClosedRange<Int>, at offset: Int) throws(FormatError) -> Int {
        guard limits.contains(Int(stated)) else {
            throw FormatError(structure, .outOfRange(.groupNameBytes), at: offset)
        }
        return Int(stated)
    }
}

extension FormatError {
    /// Checks the length of a group's name before it is encoded.
    static func checkName(
        _ name: String, in limits: ClosedRange<Int>, _ structure: Structure
    ) throws(FormatError) {
        guard limits.contains(name.utf8.count) else {
            throw FormatError(structure, .outOfRange(.groupNameBytes), at: 0)
        }
    }
}

extension FormatConstants {
    /// The length of a name that must be there.
    static let nameBytes = 1...maximumNameBytes
}

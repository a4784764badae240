/// Who put a transaction, so that a repeated commit is recognised: 16 bytes, stored as `high`, then `low`, each
/// little-endian. All zero stands for "none".
public struct ProducerID: Hashable, Sendable, CustomStringConvertible {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    public static let none = ProducerID(high: 0, low: 0)

    init(_ stored: LogUUID) { self.init(high: stored.high, low: stored.low) }

    var stored: LogUUID { LogUUID(high: high, low: low) }

    public var description: String { stored.description }
}

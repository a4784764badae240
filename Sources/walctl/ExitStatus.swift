import DurableChannel
import FileIO
import LogFormat
import SegmentedLog

/// How the command ends. The same numbers mean the same in all commands of this package.
enum ExitStatus {
    static let done: Int32 = 0
    static let usage: Int32 = 64
    static let inputOutput: Int32 = 74
    static let inUse: Int32 = 75
    static let configuration: Int32 = 78

    /// Of an error. Damage that keeps a verb from answering at all counts as an error of input.
    static func of(_ error: ChannelError) -> Int32 {
        switch error.code {
        case .inUse: inUse
        case .configuration, .unsupported: configuration
        default: inputOutput
        }
    }
}

/// What `status`, `verify`, `explain` and the plan of `repair` have found. The worst decides.
enum Finding: Int32, Comparable {
    case none = 0
    /// A torn tail, and nothing else: what a crash leaves, and an opening cuts off.
    case tornTail = 2
    /// Bytes are not as they were written.
    case damage = 3
    /// Events that were acknowledged, and that nobody has taken, are gone.
    case loss = 4

    static func < (left: Finding, right: Finding) -> Bool { left.rawValue < right.rawValue }

    /// In words, as JSON has it.
    var word: String {
        switch self {
        case .none: "none"
        case .tornTail: "torn_tail"
        case .damage: "damage"
        case .loss: "loss"
        }
    }
}

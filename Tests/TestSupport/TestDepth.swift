internal import Glibc

/// How much the tests look at that could look at ever more: crash sweeps, models and random inputs.
///
/// A release build looks at the whole, a debug build at a part, which takes as long. `SLUICE_TEST_DEPTH` (`sample`, `part`
/// or `whole`) says it otherwise: where a release build looks at the whole anyway, `tools/test` asks a build with a sanitizer
/// for a sample.
public enum TestDepth: String, Sendable {
    case sample, part, whole

    public static let current: TestDepth = {
        if let name = unsafe getenv("SLUICE_TEST_DEPTH").map({ unsafe String(cString: $0) }) {
            guard let depth = TestDepth(rawValue: name) else {
                preconditionFailure("SLUICE_TEST_DEPTH is \(name), and not sample, part or whole")
            }
            return depth
        }
        #if DEBUG
            return .part
        #else
            return .whole
        #endif
    }()

    public static func pick<Value>(sample: Value, part: Value, whole: Value) -> Value {
        switch current {
        case .sample: sample
        case .part: part
        case .whole: whole
        }
    }
}

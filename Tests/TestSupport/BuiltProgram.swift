internal import Glibc

/// The programs of this package, as the build has made them.
public enum BuiltProgram {
    /// Beside the bundle of the tests. A path that does not exist where there is none: whoever starts it sees what was looked for.
    public static func path(_ name: String) -> String {
        let places = [link("/proc/self/exe")] + CommandLine.arguments.filter { $0.hasSuffix(".xctest") }
        for place in places {
            let directory = place.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
                separator: "/")
            if unsafe access("\(directory)/\(name)", X_OK) == 0 { return "\(directory)/\(name)" }
        }
        return "\(name) is not beside \(places)"
    }

    private static func link(_ path: String) -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            unsafe readlink(path, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }
}

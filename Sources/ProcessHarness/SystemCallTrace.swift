/// The system calls of a process on the files of one directory, as `strace -f -y` has written them down.
struct SystemCallTrace {
    /// A call, by its name, and which of the calls of that name in its thread it is, from 1 on: as strace counts when it is told
    /// which one to fail.
    struct Call: Hashable, Comparable, CustomStringConvertible {
        var name: String
        var ordinal: Int

        static func < (one: Call, other: Call) -> Bool {
            (one.name, one.ordinal) < (other.name, other.ordinal)
        }

        var description: String { "\(name) \(ordinal)" }
    }

    /// Calls on the files, each once, though several threads may have made one of the same name and number.
    private(set) var calls: [Call] = []

    /// - Parameters:
    ///   - text: lines like `4711  pwrite64(5</d/1.seg>, ...) = 512`.
    ///   - directory: of whose files the calls are wanted, and of itself, and of the directory that it is in.
    init(_ text: String, of directory: String) {
        let parent = directory.split(separator: "/").dropLast().map { "/\($0)" }.joined()
        var counts: [Substring: [Substring: Int]] = [:]
        var found: Set<Call> = []
        for line in text.split(separator: "\n") {
            guard let space = line.firstIndex(of: " ") else { continue }
            let (thread, call) = (line[..<space], line[space...].drop { $0 == " " })
            guard let open = call.firstIndex(of: "(") else { continue }
            let name = call[..<open]
            // "<... pwrite64 resumed>" is the end of a call that was counted.
            guard name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }) else { continue }
            counts[thread, default: [:]][name, default: 0] += 1
            let isWanted =
                call.contains(directory) || call.contains("<\(parent)>") || call.contains("\"\(parent)\"")
            guard isWanted else { continue }
            found.insert(Call(name: String(name), ordinal: counts[thread]![name]!))
        }
        calls = found.sorted()
    }
}

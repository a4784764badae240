import ChannelInputs
import Glibc

/// Says what an input stands for: `ShowInput TARGET FILE`. Of a script, what `walcrash replay` runs; of a directory, the log
/// and the edits; of all others, the bytes.
@main
struct ShowInput {
    static func main() { exit(show(CommandLine.arguments)) }
}

private nonisolated func show(_ arguments: [String]) -> Int32 {
    guard arguments.count == 3 else {
        print("usage: ShowInput TARGET FILE")
        return 64
    }
    guard let input = read(arguments[2]) else {
        print("\(arguments[2]) cannot be read")
        return 74
    }
    switch arguments[1] {
    case "FuzzScript": print(ScriptInput.text(input), terminator: "")
    case "FuzzDirectory": print(DirectoryInput.text(input), terminator: "")
    default: print(input.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " "))
    }
    return 0
}

private nonisolated func read(_ path: String) -> [UInt8]? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return count == 0 ? bytes : nil }
        bytes += buffer[..<count]
    }
}

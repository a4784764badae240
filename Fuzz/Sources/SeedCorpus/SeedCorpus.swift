import Glibc

/// Writes the seeds of a fuzz target into a directory, one file each: `SeedCorpus DIR`.
@main
struct SeedCorpus {
    static func main() { exit(run(CommandLine.arguments)) }

    nonisolated static func run(_ arguments: [String]) -> Int32 {
        guard arguments.count == 2 else {
            print("usage: SeedCorpus DIR")
            return 64
        }
        do {
            for seed in try FrameSeeds.all() {
                guard write(seed.bytes, to: "\(arguments[1])/\(seed.name)") else {
                    print("cannot write \(seed.name) in \(arguments[1])")
                    return 74
                }
            }
            return 0
        } catch {
            print("a seed does not encode: \(error)")
            return 70
        }
    }

    private nonisolated static func write(_ bytes: [UInt8], to path: String) -> Bool {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return unsafe Glibc.write(descriptor, bytes, bytes.count) == bytes.count
    }
}

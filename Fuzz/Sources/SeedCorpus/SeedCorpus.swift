import Glibc

/// Writes the seeds of all fuzz targets, one file each, into a directory for each target: `SeedCorpus DIR`.
@main
struct SeedCorpus {
    static func main() { exit(run(CommandLine.arguments)) }

    nonisolated static func run(_ arguments: [String]) -> Int32 {
        guard arguments.count == 2 else {
            print("usage: SeedCorpus DIR")
            return 64
        }
        do {
            for seed in try FrameSeeds.all() + RealLogs.all() + ChannelSeeds.all {
                let folder = "\(arguments[1])/\(seed.target)"
                unsafe mkdir(folder, 0o700)
                guard Files.write(seed.bytes, to: "\(folder)/\(seed.name)") else {
                    print("cannot write \(seed.name) in \(folder)")
                    return 74
                }
            }
            return 0
        } catch {
            print("a seed cannot be made: \(error)")
            return 70
        }
    }
}

import FileIO

/// Everything is behind one call into another file: closures written here would belong to the main actor and trap on
/// the threads of a measurement.
@main
struct Walbench {
    static func main() {
        ProcessMemory.keepFreed()
        run(CommandLine.arguments.dropFirst())
    }
}

/// Everything is behind one call into another file: closures written here would belong to the main actor.
@main
struct Walctl {
    static func main() { run(CommandLine.arguments.dropFirst()) }
}

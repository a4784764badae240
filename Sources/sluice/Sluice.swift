/// One line that calls a function of another file: what is written in `main` itself belongs to the main actor, and
/// traps when another thread or a signal runs it.
@main
struct Sluice {
    static func main() { run(CommandLine.arguments.dropFirst()) }
}

/// Everything is behind one call into another file: closures written here would belong to the main actor and trap on
/// the threads of a campaign.
@main
struct Walcrash {
    static func main() { run(CommandLine.arguments.dropFirst()) }
}

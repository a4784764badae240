import FileIO
import Glibc

private let usage = """
    usage: walbench COMMAND [options]

      raw      synced writes of one thread, by size and method
      log      the log beside a bare log and raw writes
      commit   the channel's commit of one event, one producer, beside both                 (bar B1)
      put      producers and batches: events/s and latency of commits, beside both          (B2, B3; with --lines B4)
      take     draining a cold backlog, beside a bare loop; puts and takes together         (B5, B6)
      ready    opening after kill -9 with many queued events, and the first take            (B7)
      written  bytes written to the disk for each byte accepted, puts and takes together    (B8)

      --dir D          where to measure: an existing directory on the disk in question (default: .)
      --rounds N       how often each is measured, in turn (default: 9; raw and log 5)
      --seconds S      length of one measurement (default: 1; put and take 0.2)
      --producers L    put: one or more numbers, with commas (default: 1,8,64); take, written: so many puts and
                       as many takes together (default: 4)
      --batch L        put: events in a transaction (default: 1,100, and for 64 producers only 1); take: of the puts,
                       written: of puts and takes (default: 100)
      --body B         bytes of a body, random (default: 512)
      --lines F        commit, put, take, written: bodies are the lines of F, and the channel compresses them with LZ4;
                       else it does not compress
      --events L       take: events in the backlog (default: 300000); ready: queued events (default: 10000,1000000)
      --full           ready: 10,000,000 queued events, too
      --format F       text or json (default: text)
      --verbose        every round of everything, in text (json always has them)

    The files are removed at the end. They take up to 4 GB; those of ready three times the bodies of all its events.
    Exit codes: 0 measured, 64 wrong arguments, 74 an operation failed, 130 interrupted.
    """

/// The whole program: parses, measures, prints, and ends the process.
func run(_ arguments: ArraySlice<String>) -> Never {
    do {
        guard let options = try Options(parsing: arguments) else {
            print(usage)
            exit(0)
        }
        if options.command == .life { try Life(options).run() }
        print(try measure(options))
        exit(0)
    } catch let error as UsageError {
        complain("\(error.message)\n\(usage)")
        exit(64)
    } catch is Interruption {
        complain("interrupted")
        exit(130)
    } catch {
        complain("\(error)")
        exit(74)
    }
}

private func measure(_ options: Options) throws -> String {
    Interruption.arm()
    let bodies = try Bodies(options)
    let workplace = try Workplace(under: options.directory)
    defer { workplace.remove() }
    let report =
        switch options.command {
        case .raw: try RawBenchmark(options, workplace).run()
        case .log: try LogBenchmark(options, workplace).run()
        case .commit, .put: try PutBenchmark(options, workplace, bodies).run()
        case .take: try TakeBenchmark(options, workplace, bodies).run()
        case .ready, .life: try ReadyBenchmark(options, workplace).run()
        case .written: try WrittenBenchmark(options, workplace, bodies).run()
        }
    return report.rendered(as: options.format)
}

private func complain(_ message: String) {
    let line = Array("walbench: \(message)\n".utf8)
    _ = unsafe write(STDERR_FILENO, line, line.count)
}

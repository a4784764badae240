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
      verify   all checksums of a log, beside a bare loop of read and CRC-32C               (B9)
      curve    puts by producers, batch and body: rates, latencies, groups, bytes, processor time, memory
      scale    opening, puts, takes and memory by the number of queued events
      soak     puts and takes on a channel that is never empty, for long: whether memory and files grow
      bars     all of them, one after the other: each bar with its ratio, and the field beside it
      work     for tools/count: OPERATION (put, put-lz4, leave, take, open, verify) so many times in the channel D, on one
               thread; measures and prints nothing

      --dir D          where to measure: an existing directory on the disk in question (default: .)
      --rounds N       how often each is measured, in turn (default: 9; raw, log, scale 5; curve 3)
      --seconds S      length of one measurement (default: 1; put and take 0.2; curve 0.1); of all of soak (default:
                       3600)
      --producers L    put, curve: one or more numbers, with commas (default: 1,8,64; curve 1,2,4,8,16,64); take, written:
                       so many puts and as many takes together (default: 4)
      --batch L        put: events in a transaction (default: 1,100, and for 64 producers only 1); take: of the puts,
                       written: of puts and takes (default: 100); verify: of the puts (default: 100,1);
                       curve: of the puts (default: 1,10,100,1000)
      --body B         bytes of a body, random (default: 512)
      --lines F        commit, put, take, written, verify, scale, soak: bodies are the lines of F, and the channel compresses them
                       with LZ4; else it does not compress; bars, curve: for what is about lines, which is skipped without
      --events L       take: events in the backlog (default: 300000); ready: queued events (default: 10000,1000000);
                       verify: events in the log (default: 1000000); scale: queued events (default:
                       0,1000000,10000000); soak: queued at the least (default: 200000); work: events, in hundreds
                       (default: 1000)
      --html F         curve: writes a page with drawings and all figures to F
      --full           ready: 10,000,000 queued events, too; scale: 100,000,000
      --format F       text or json (default: text)
      --verbose        every round of everything, in text (json always has them)

    The files are removed at the end. They take up to 4 GB; those of ready three times the bodies of all its events.
    Exit codes: 0 measured, 64 wrong arguments, 69 work: no CRC-32C instruction, 74 an operation failed, 130 interrupted.
    """

/// The whole program: parses, measures, prints, and ends the process.
func run(_ arguments: ArraySlice<String>) -> Never {
    do {
        guard let options = try Options(parsing: arguments) else {
            print(usage)
            exit(0)
        }
        if options.command == .life { try Life(options: options).run() }
        if options.command == .stage {
            try Stage(options: options).run()
            exit(0)
        }
        if let operation = options.operation { try CountedWork(options, operation).run() }
        print(try measure(options))
        exit(0)
    } catch let error as UsageError {
        complain("\(error.message)\n\(usage)")
        exit(64)
    } catch is Interruption {
        complain("interrupted")
        exit(130)
    } catch let error as MissingInstruction {
        complain("\(error)")
        exit(69)
    } catch {
        complain("\(error)")
        exit(74)
    }
}

private func measure(_ options: Options) throws -> String {
    Interruption.arm()
    // It has workplaces of its own, one after the other.
    if options.command == .bars { return try BarsBenchmark(options: options).run().rendered(as: options.format) }
    let workplace = try Workplace(under: options.directory)
    defer { workplace.remove() }
    let report = try measure(options, workplace)
    if let path = options.pagePath, let page = report.page { try write(page, to: path) }
    return report.rendered(as: options.format)
}

/// One benchmark by itself.
func measure(_ options: Options, _ workplace: Workplace) throws -> Report {
    let bodies = try Bodies(options)
    return switch options.command {
    case .raw: try RawBenchmark(options: options, workplace: workplace).run()
    case .log: try LogBenchmark(options: options, workplace: workplace).run()
    case .commit, .put: try PutBenchmark(options: options, workplace: workplace, bodies: bodies).run()
    case .take: try TakeBenchmark(options: options, workplace: workplace, bodies: bodies).run()
    case .ready: try ReadyBenchmark(options: options, workplace: workplace).run()
    case .written: try WrittenBenchmark(options: options, workplace: workplace, bodies: bodies).run()
    case .verify: try VerifyBenchmark(options: options, workplace: workplace, bodies: bodies).run()
    case .curve: try CurveBenchmark(options: options, workplace: workplace).run()
    case .scale: try ScaleBenchmark(options: options, workplace: workplace, bodies: bodies).run()
    case .soak: try SoakBenchmark(options: options, workplace: workplace, bodies: bodies).run()
    case .bars, .life, .stage, .work: preconditionFailure("\(options.command) is not one measurement")
    }
}

/// What goes on, for whoever waits.
func tell(_ message: String) { complain(message) }

private func complain(_ message: String) {
    let line = Array("walbench: \(message)\n".utf8)
    _ = unsafe write(STDERR_FILENO, line, line.count)
}

import FileIO
import Glibc
import LogFormat
import SegmentedLog

private let usage = """
    usage: walbench raw [options]    synced writes of one thread, by size and method
           walbench log [options]    the log beside a bare log and raw writes, in one run

      --dir D         where to measure: an existing directory on the disk in question (default: .)
      --seconds S     length of one measurement (default: 1)
      --rounds N      how often each is measured (default: 5)
      --format F      text or json (default: text)

    The files take up to 2.5 GB and are removed at the end.
    Exit codes: 0 measured, 64 wrong arguments, 74 an operation failed, 130 interrupted.
    """

/// The whole program: parses, measures, prints, and ends the process.
func run(_ arguments: ArraySlice<String>) -> Never {
    do {
        guard let options = try Options(parsing: arguments) else {
            print(usage)
            exit(0)
        }
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
    let workplace = try Workplace(under: options.directory)
    defer { workplace.remove() }
    switch options.command {
    case .raw: return try RawBenchmark(options, workplace).run().rendered(as: options.format)
    case .log: return try LogBenchmark(options, workplace).run().rendered(as: options.format)
    }
}

private func complain(_ message: String) {
    let line = Array("walbench: \(message)\n".utf8)
    _ = unsafe write(STDERR_FILENO, line, line.count)
}

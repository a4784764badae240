import CommandOptions
import DurableChannel
import LineTransfer

/// `sluice put`.
struct PutCommand {
    private let directory: String
    private let file: String?
    private let batchLines: Int
    private let producers: Int
    private let headers: [EventHeader]
    private let configuration: ChannelConfiguration
    private let acknowledges: Bool

    /// How long lines that make no full batch wait for more.
    private static let lingerMilliseconds: Int32 = 50

    init(_ arguments: Arguments, _ verb: VerbTable) throws(UsageError) {
        directory = arguments.operands[0]
        file = arguments.text("--file")
        batchLines = Int(arguments.number("--batch") ?? 1000)
        producers = Int(arguments.number("--producers") ?? 1)
        acknowledges = arguments.has("--acks")
        headers = try Self.headers(arguments, verb)
        configuration = try Self.configuration(arguments, verb)
        if file != nil && producers > 1 {
            throw UsageError("--file keeps the order of its lines, so it has one producer: leave out --producers", verb)
        }
    }

    func run() throws(LineTransferError) {
        // Before the channel: a file that is not there leaves no new channel behind.
        let place = try file.map { (path) throws(LineTransferError) in try FilePlace.source(path) }
        let channel = try FileChannel.open(directory, configuration)
        let put = LinePut(into: channel, headers: headers)
        do throws(LineTransferError) {
            if let place { try putFile(place, put, channel) } else { try putStandardInput(put) }
        } catch {
            try? channel.close()
            throw error
        }
        try channel.finish()
    }

    // MARK: A file

    private func putFile(_ place: FilePlace, _ put: LinePut, _ channel: FileChannel) throws(LineTransferError) {
        let name = place.bookmarkName
        let bookmark = try channel.bookmark(name).map { (value) throws(LineTransferError) in
            try FileBookmark(decoding: value, of: .source, named: name)
        }
        var source = try LineSource(place.name, in: try place.open(), knownAs: place.path, bookmark: bookmark)
        source.findings.forEach(complain)
        let report = PutReport(acknowledges)
        defer { report.end() }
        while !Termination.isRequested, let batch = try source.nextBatch(put.limits(lines: batchLines)) {
            let reading = source
            do throws(LineTransferError) {
                try put.put(
                    batch, bookmark: { Bookmark(name: name, value: reading.bookmark(at: $0).encoded()) },
                    committed: { (sequences) throws(LineTransferError) in try report.committed(sequences, of: batch) },
                    isWaiting: report.isWaiting)
            } catch {
                // What was not put stands in the file, and the bookmark before it.
                if error.code == .stopped { return }
                throw error
            }
        }
    }

    // MARK: Standard input

    private func putStandardInput(_ put: LinePut) throws(LineTransferError) {
        let report = PutReport(acknowledges)
        defer { report.end() }
        let putBatch = { @Sendable (batch: LineBatch) throws(LineTransferError) in
            try put.put(
                batch,
                committed: { (sequences) throws(LineTransferError) in try report.committed(sequences, of: batch) },
                isWaiting: report.isWaiting)
        }
        let limits = put.limits(lines: batchLines)
        var splitter = LineSplitter()
        do throws(LineTransferError) {
            if producers == 1 {
                try read(&splitter, limits, hand: putBatch)
            } else {
                try read(&splitter, limits, by: ProducerThreads(producers, put: putBatch))
            }
        } catch {
            if error.code != .outputClosed {
                report.tellUnput(readLines: splitter.lineCount + splitter.dropLines(), error)
            }
            throw error
        }
        if splitter.unfinishedBytes > 0 {
            complain(
                "ended by a signal in the middle of a line: its \(splitter.unfinishedBytes) bytes so far were not put")
        }
    }

    private func read(
        _ splitter: inout LineSplitter, _ limits: LineBatch.Limits, by threads: ProducerThreads
    ) throws(LineTransferError) {
        try threads.start()
        do throws(LineTransferError) { try read(&splitter, limits, hand: threads.hand) } catch {
            // What was read before is put all the same.
            try threads.finish()
            throw error
        }
        try threads.finish()
    }

    /// Reads to the end, to a line that is too long, or until the end is wished for; what was read before is handed on.
    private func read(
        _ splitter: inout LineSplitter, _ limits: LineBatch.Limits,
        hand: (LineBatch) throws(LineTransferError) -> Void
    ) throws(LineTransferError) {
        let input = StandardInput()
        var state = InputState.open
        while true {
            var batch = LineBatch(limits)
            var isDue = false
            while try !splitter.take(into: &batch, atEnd: state.isAtEnd), state.isOpen, !isDue {
                switch input.wait(timeout: batch.isEmpty ? -1 : Self.lingerMilliseconds) {
                case .idle: isDue = true
                case .stop: state = .stopped
                case .ready: state = read(input, into: &splitter)
                }
            }
            if !batch.isEmpty {
                try hand(batch)
                continue
            }
            switch state {
            case .open: continue
            case .ended, .stopped: return
            case .failed(let error): throw error
            }
        }
    }

    private func read(_ input: StandardInput, into splitter: inout LineSplitter) -> InputState {
        do throws(LineTransferError) {
            let hasMore = try splitter.fill { (buffer, place, count, _) throws(LineTransferError) in
                try input.read(into: buffer, at: place, count: count)
            }
            return hasMore ? .open : .ended
        } catch {
            return .failed(error)
        }
    }

    // MARK: Options

    private static func headers(_ arguments: Arguments, _ verb: VerbTable) throws(UsageError) -> [EventHeader] {
        let headers = arguments.pairs("--header").map { EventHeader(key: $0.key, value: Array($0.value.utf8)) }
        var keys: Set<String> = []
        for header in headers {
            let name = "--header \(header.key.prefix(40))"
            if !keys.insert(header.key).inserted { throw UsageError("\(name): this key is given twice", verb) }
            if (try? Event(headers: [header], body: []).encode()) == nil {
                throw UsageError("\(name): a key has 1 to 255 bytes, a value up to 65536", verb)
            }
        }
        if (try? Event(headers: headers, body: []).encode()) == nil {
            throw UsageError("--header: \(headers.count) are too many, an event has 1024 at most", verb)
        }
        return headers
    }

    private static func configuration(
        _ arguments: Arguments, _ verb: VerbTable
    ) throws(UsageError) -> ChannelConfiguration {
        var configuration = ChannelConfiguration()
        if let capacity = arguments.number("--capacity-bytes") { configuration.capacityBytes = capacity }
        if let segment = arguments.number("--segment-bytes") {
            guard let bytes = UInt32(exactly: segment) else {
                throw UsageError("--segment-bytes \(segment): a segment has 4294963200 bytes at most", verb)
            }
            configuration.segmentBytes = bytes
        }
        if arguments.text("--compression") == "none" { configuration.compression = .none }
        switch arguments.text("--durability") {
        case "interval": configuration.durability = .interval
        case "none": configuration.durability = .none
        default: configuration.durability = .commit
        }
        // So long a wait for room ends at a signal.
        configuration.whenFull = .block(.milliseconds(250))
        return configuration
    }
}

private enum InputState {
    case open, ended, stopped
    case failed(LineTransferError)

    var isOpen: Bool { if case .open = self { true } else { false } }
    /// What has no newline is a line: not when the rest of it may still have come.
    var isAtEnd: Bool { if case .ended = self { true } else { false } }
}

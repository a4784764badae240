internal import LogFormat

/// A put frame in memory: its events can be handed out as views.
final class StoredFrame: Sendable {
    let base: EventSequence
    let lsn: LSN
    /// Wall-clock time of the commit, nanoseconds since 1970.
    let commitTime: UInt64
    /// The payload, decompressed.
    let raw: [UInt8]
    let index: PutFrameIndex

    init(base: EventSequence, lsn: LSN, commitTime: UInt64, raw: [UInt8], index: PutFrameIndex) {
        self.base = base
        self.lsn = lsn
        self.commitTime = commitTime
        self.raw = raw
        self.index = index
    }

    var end: EventSequence { base.advanced(by: UInt64(index.count)) }
    var range: SequenceRange { SequenceRange(first: base, end: end) }
    /// What it takes in memory, roughly.
    var bytes: Int { raw.count + 24 * index.count + 128 }
}

/// A put that was just committed, not looked into yet.
struct RecentPut: Sendable {
    var base: EventSequence
    var eventCount: UInt32
    var lsn: LSN
    var commitTime: UInt64
    var raw: [UInt8]

    var end: EventSequence { base.advanced(by: UInt64(eventCount)) }
}

/// Puts that takers will come to next, within a bound of bytes, so that those who keep up do not read the disk. Ascending by
/// sequence.
///
/// When it is full, what was handed out makes room. When that is not enough, what is put is not kept, and nothing more until all
/// that is here was handed out: so with a backlog it holds one run of events that will be asked for, and not ever newer ones
/// that would have gone again before anybody came to them, nor one here and one there, between which takers would have to look
/// each place up in the log. And a producer without takers works in memory that it has just used.
struct TailCache: Sendable {
    private var puts: [RecentPut] = []
    /// Index of the oldest one: what stands before it has been let go, and is cut off now and then.
    private var first = 0
    private var bytes = 0
    /// A put was not kept: takers will leave this cache at its end.
    private var isBehind = false
    let limitBytes: Int

    init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// - Parameter handedOut: everything before it was handed out.
    mutating func insert(_ put: RecentPut, handedOut: EventSequence) {
        guard put.raw.count <= limitBytes else { return }
        if isBehind {
            guard first == puts.count || puts[puts.count - 1].end <= handedOut else { return }
            isBehind = false
        }
        while first < puts.count, bytes + put.raw.count > limitBytes, puts[first].end <= handedOut { dropFirst() }
        guard bytes + put.raw.count <= limitBytes else {
            isBehind = true
            return
        }
        // Threads come in nearly in order.
        var index = puts.count
        while index > first, puts[index - 1].base > put.base { index -= 1 }
        puts.insert(put, at: index)
        bytes += put.raw.count
    }

    func find(_ sequence: EventSequence) -> RecentPut? {
        let index = firstIndex(endingBehind: sequence)
        return index < puts.count && puts[index].base <= sequence ? puts[index] : nil
    }

    /// The first sequence from `sequence` on that is here.
    func next(from sequence: EventSequence) -> EventSequence? {
        let index = firstIndex(endingBehind: sequence)
        return index < puts.count ? max(puts[index].base, sequence) : nil
    }

    private func firstIndex(endingBehind sequence: EventSequence) -> Int {
        var low = first
        var high = puts.count
        while low < high {
            let middle = (low + high) / 2
            if puts[middle].end <= sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// What is decided is not asked for again.
    mutating func forget(below sequence: EventSequence) {
        while first < puts.count, puts[first].end <= sequence { dropFirst() }
    }

    private mutating func dropFirst() {
        bytes -= puts[first].raw.count
        puts[first].raw = []
        first += 1
        if first > 64, first > puts.count / 2 {
            puts.removeFirst(first)
            first = 0
        }
    }
}

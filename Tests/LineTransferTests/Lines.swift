import DurableChannel

@testable import LineTransfer

extension RawSpan {
    /// A copy.
    var array: [UInt8] { unsafe withUnsafeBytes { bytes in unsafe [UInt8](bytes) } }
}

extension LineBatch {
    /// A copy of each line.
    var lines: [[UInt8]] { runs.flatMap { run in (0..<run.count).map { run.bytes(of: $0).array } } }

    /// The place behind each line.
    var boundaries: [LineRun.Boundary] { runs.flatMap { run in (0..<run.count).map { run.boundary(after: $0) } } }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// What splitting means, in the plainest way.
func plainLines(_ input: [UInt8]) -> [[UInt8]] {
    var lines = input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { Array($0) }
    if lines.last == [] { lines.removeLast() }
    return lines
}

/// Feeds an input in reads of given sizes (the last one again and again) and returns the batches.
func batches(
    of input: [UInt8], by splitter: inout LineSplitter, reads: [Int] = [.max], limits: LineBatch.Limits
) throws -> [LineBatch] {
    let base = Int(splitter.position)
    var batches: [LineBatch] = []
    var given = 0
    var reading = 0
    var atEnd = false
    while true {
        var batch = LineBatch(limits)
        while try !splitter.take(into: &batch, atEnd: atEnd), !atEnd {
            atEnd = try !splitter.fill { (buffer, place, count, offset) throws(LineTransferError) in
                precondition(Int(offset) == base + given, "asked for \(offset) after \(given)")
                let length = min(count, reads[min(reading, reads.count - 1)], input.count - given)
                buffer.copy(from: Array(input[given..<given + length]), at: place)
                given += length
                reading += 1
                return length
            }
        }
        if batch.isEmpty { return batches }
        batches.append(batch)
    }
}

/// Numbers from one seed.
struct Numbers: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

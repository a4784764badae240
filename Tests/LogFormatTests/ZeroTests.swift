import LogFormat
import Testing

/// Looking for the first byte that is not zero, in steps of many bytes.
@Suite struct ZeroTests {
    @Test(arguments: [0, 1, 7, 8, 9, 63, 64, 511, 512, 513, 520, 1031])
    func aRangeIsZeroUnlessOneOfItsBytesIsNot(_ count: Int) {
        let before = 3
        var bytes = [UInt8](repeating: 0, count: before + count + 5)
        // What stands beside the range does not count.
        bytes[before - 1] = 1
        bytes[before + count] = 1
        let range = before..<before + count
        #expect(unsafe bytes.span.bytes.isZero(range))
        for index in range {
            bytes[index] = index.isMultiple(of: 2) ? 1 : 0x80
            let isZero = unsafe bytes.span.bytes.isZero(range)
            if isZero { Issue.record("byte \(index - before) of \(count) was passed over") }
            bytes[index] = 0
        }
    }
}

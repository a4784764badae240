extension RawSpan {
    /// One byte; the index must be inside.
    func byte(at index: Int) -> UInt8 {
        unsafe unsafeLoad(fromByteOffset: checked(index), as: UInt8.self)
    }

    /// Whether all bytes of a range are zero.
    func isZero(_ range: Range<Int>) -> Bool {
        unsafe extracting(range).withUnsafeBytes { bytes in
            var offset = 0
            while offset + 8 <= bytes.count {
                if unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) != 0 { return false }
                offset += 8
            }
            while offset < bytes.count {
                if unsafe bytes[offset] != 0 { return false }
                offset += 1
            }
            return true
        }
    }

    /// A copy of a range.
    func copy(_ range: Range<Int>) -> [UInt8] {
        unsafe extracting(range).withUnsafeBytes { unsafe [UInt8]($0) }
    }

    private func checked(_ index: Int) -> Int {
        precondition(index >= 0 && index < byteCount, "byte \(index) of \(byteCount)")
        return index
    }
}

extension [UInt8] {
    /// The array's bytes; valid as long as it is not changed.
    var rawSpan: RawSpan {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(span.bytes, borrowing: self) }
    }
}

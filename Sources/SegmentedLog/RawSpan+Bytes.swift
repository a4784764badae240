extension RawSpan {
    /// One byte; the index must be inside.
    func byte(at index: Int) -> UInt8 {
        unsafe unsafeLoad(fromByteOffset: checked(index), as: UInt8.self)
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

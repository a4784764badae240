// Text in bytes, compared and copied where it stands. The lowest calls are `unsafe` only because they take the bytes of a
// span out of its type; bounds are checked by `extracting`.

extension RawSpan {
    /// True when the range is UTF-8. Allocates nothing; ASCII is looked at eight bytes at a time.
    @inline(__always)
    func isUTF8(_ range: Range<Int>) -> Bool {
        isASCII(range) || isUTF8BeyondASCII(range)
    }

    /// Most texts are keys of a few bytes: of those, and of what is left at the end, the last bytes are looked at twice
    /// rather than one by one.
    private func isASCII(_ range: Range<Int>) -> Bool {
        var offset = range.lowerBound
        let end = range.upperBound
        var bits: UInt64 = 0
        if range.count >= 8 {
            while end - offset > 8 {
                bits |= loadInteger(at: offset)
                offset += 8
            }
            bits |= loadInteger(at: end - 8)
        } else if range.count >= 4 {
            bits = UInt64(loadInteger(at: offset, as: UInt32.self) | loadInteger(at: end - 4, as: UInt32.self))
        } else {
            while offset < end {
                bits |= UInt64(loadInteger(at: offset, as: UInt8.self))
                offset += 1
            }
        }
        return bits & 0x8080_8080_8080_8080 == 0
    }

    private func isUTF8BeyondASCII(_ range: Range<Int>) -> Bool {
        unsafe extracting(range).withUnsafeBytes { bytes in
            do throws(UTF8.ValidationError) {
                _ = try unsafe UTF8Span(validating: Span(_unsafeBytes: bytes))
                return true
            } catch {
                return false
            }
        }
    }

    /// The text of a range that is UTF-8.
    func text(_ range: Range<Int>) -> String {
        unsafe extracting(range).withUnsafeBytes { bytes in unsafe String(decoding: bytes, as: UTF8.self) }
    }

    /// True when both ranges hold the same bytes.
    func isEqual(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
        extracting(left).isEqual(to: extracting(right))
    }

    /// True when the range holds the UTF-8 of the text.
    func isEqual(_ range: Range<Int>, _ text: String) -> Bool {
        unsafe extracting(range).isEqual(to: text.utf8.span.bytes)
    }

    private func isEqual(to other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        var offset = 0
        while byteCount - offset >= 8 {
            if loadInteger(at: offset, as: UInt64.self) != other.loadInteger(at: offset) { return false }
            offset += 8
        }
        if byteCount >= 8 {
            // What is left, and some that was compared already.
            return loadInteger(at: byteCount - 8, as: UInt64.self) == other.loadInteger(at: byteCount - 8)
        }
        while offset < byteCount {
            if loadInteger(at: offset, as: UInt8.self) != other.loadInteger(at: offset) { return false }
            offset += 1
        }
        return true
    }
}

extension MutableRawSpan {
    /// Copies the UTF-8 of the text to `offset`.
    mutating func store(_ text: String, at offset: Int) {
        unsafe store(text.utf8.span.bytes, at: offset)
    }
}

import Glibc

/// An extended regular expression (POSIX, of the C library), matched byte by byte: in the C locale every byte is a character, and
/// bytes of zero are bytes like others.
@safe final class BytePattern {
    private let expression: UnsafeMutablePointer<regex_t>
    private var isCompiled = false

    /// - Throws: what `describe` makes of the library's words.
    init<E: Error>(_ text: String, describe: (String) -> E) throws(E) {
        unsafe expression = .allocate(capacity: 1)
        unsafe expression.initialize(to: regex_t())
        let failure = unsafe regcomp(expression, text, REG_EXTENDED | REG_NOSUB)
        guard failure == 0 else {
            var words = [CChar](repeating: 0, count: 256)
            _ = unsafe regerror(failure, expression, &words, words.count)
            let text = words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw describe(String(decoding: text, as: UTF8.self))
        }
        isCompiled = true
    }

    deinit {
        if isCompiled { unsafe regfree(expression) }
        unsafe expression.deallocate()
    }

    func matches(_ bytes: ArraySlice<UInt8>) -> Bool {
        unsafe bytes.withUnsafeBytes { bytes in
            // The range is told (REG_STARTEND), so no zero ends it.
            var range = regmatch_t(rm_so: 0, rm_eo: regoff_t(bytes.count))
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            let nothing: [CChar] = [0]
            return unsafe nothing.withUnsafeBufferPointer { empty in
                unsafe regexec(expression, start ?? empty.baseAddress!, 1, &range, 1 << 2) == 0
            }
        }
    }
}

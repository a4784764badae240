/// libFuzzer's entry: one input. Everything is in ``DecodeInput``, which the tests share.
@c(LLVMFuzzerTestOneInput)
public func fuzzFrame(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe DecodeInput.run([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

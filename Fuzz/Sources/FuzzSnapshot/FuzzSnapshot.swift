import DecoderInputs

/// libFuzzer's entry: one input. Everything is in ``SnapshotInput``, which the tests share.
@c(LLVMFuzzerTestOneInput)
public func fuzzSnapshot(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe SnapshotInput.run([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

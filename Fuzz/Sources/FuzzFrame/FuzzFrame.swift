import DecoderInputs

/// libFuzzer's entry: one input. Everything is in ``FrameInput``, which the tests share.
@c(LLVMFuzzerTestOneInput)
public func fuzzFrame(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe FrameInput.run([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

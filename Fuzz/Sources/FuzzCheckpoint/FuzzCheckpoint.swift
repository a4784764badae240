import DecoderInputs

/// libFuzzer's entry: one input. Everything is in ``CheckpointInput``, which the tests share.
@c(LLVMFuzzerTestOneInput)
public func fuzzCheckpoint(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe CheckpointInput.run([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

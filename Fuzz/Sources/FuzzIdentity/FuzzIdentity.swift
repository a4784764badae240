import DecoderInputs

/// libFuzzer's entry: one input. Everything is in ``IdentityInput``, which the tests share.
@c(LLVMFuzzerTestOneInput)
public func fuzzIdentity(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe IdentityInput.run([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

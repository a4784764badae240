import ChannelInputs

/// libFuzzer's entry: one input. Everything is in ``ScriptInput``, which the tests share.
@c(LLVMFuzzerTestOneInput)
public func fuzzScript(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe ScriptInput.run([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

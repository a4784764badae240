import ChannelInputs

/// libFuzzer's entry: one input. Everything is in ``DirectoryInput``, which the tests share.
@c(LLVMFuzzerTestOneInput)
public func fuzzDirectory(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe DirectoryInput.run([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

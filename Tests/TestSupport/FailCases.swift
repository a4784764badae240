/// Inputs on which a fuzz target once failed, or that reach far.
public enum FailCases {
    /// Each file of the target's folder; nil when the folder or one of them cannot be read, or nothing is there.
    public static func inputs(of target: String) -> [[UInt8]]? {
        let folder = "\(TestFiles.package)/Fuzz/FailCases/\(target)"
        var inputs: [[UInt8]] = []
        for name in TestFiles.names(in: folder) {
            guard let input = TestFiles.read("\(folder)/\(name)") else { return nil }
            inputs.append(input)
        }
        return inputs.isEmpty ? nil : inputs
    }
}

import CrashHarness
import Testing

/// A script that broke a promise once does not any more.
func expectKept(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let report = ChannelHarness.replay(try CrashScript(parsing: text))
    #expect(report.broken == nil, "\(report.broken?.objection ?? "")", sourceLocation: sourceLocation)
    #expect(report.coverage.states > 0, "it looks at nothing", sourceLocation: sourceLocation)
}
